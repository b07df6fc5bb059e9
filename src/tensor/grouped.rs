//! Convolutions whose groups of filters do not fill whole panels: each of the eight outputs of a
//! panel may see other channels. Depthwise ones, where output `i` sees channel `i` alone, read
//! eight channels at once; the others gather them one by one.
//!
//! Segments are single taps here, as long as a position; positions are padded to whole panels.
//! Order of sums and layouts are those of `windows`.

#![expect(
    clippy::indexing_slicing,
    clippy::many_single_char_names,
    reason = "filters and channels are below the padded sizes that slices are cut to; the letters \
              of matrix products"
)]

use super::matmul::{load, store};
use super::windows::Windows;
use super::{LANES, Octet, octets, octets_mut};
use crate::simd::Lanes;

/// Which channels the filters see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Channels of a group.
    channels: usize,
    /// Whether every filter sees one channel, the one of its number.
    is_depthwise: bool,
    /// The first channel that each output of each panel sees; 0 for the padding.
    firsts: Vec<[usize; LANES]>,
}

impl Groups {
    /// So many groups, each of so many channels and filters.
    pub fn new(count: usize, channels: usize, filters: usize) -> Self {
        let first = |filter: usize| {
            if filter < count * filters { filter / filters * channels } else { 0 }
        };
        let panels = (count * filters).div_ceil(LANES);
        let firsts =
            (0..panels).map(|panel| std::array::from_fn(|lane| first(panel * LANES + lane)));
        Self { channels, is_depthwise: channels == 1 && filters == 1, firsts: firsts.collect() }
    }

    /// What a panel sees at a position: the channel `channel` of every group.
    #[inline]
    fn see<L: Lanes>(&self, position: &[f32], panel: usize, channel: usize) -> [L; 2] {
        if self.is_depthwise {
            return load(&octets(position)[panel]);
        }
        let [a, b, c, d, e, f, g, h] = self.firsts[panel].map(|first| position[first + channel]);
        [L::load(&[a, b, c, d]), L::load(&[e, f, g, h])]
    }
}

/// As `windows::product`.
///
/// # Panics
/// If the lengths do not fit, or a window lies outside of `x`.
pub fn product<L: Lanes>(
    x: &[f32],
    windows: &Windows,
    groups: &Groups,
    (b, bias): (&[f32], &[f32]),
    out: &mut [f32],
    floor: f32,
) {
    let k = windows.window.segments().len() * groups.channels;
    assert!(b.len() == k * bias.len(), "packed length");
    let (b, bias, floor) = (octets(b), octets(bias), L::splat(floor));
    for (out, start) in octets_mut(out).chunks_exact_mut(bias.len()).zip(windows.starts()) {
        for (panel, (out, b)) in out.iter_mut().zip(b.chunks_exact(k)).enumerate() {
            let mut acc: [L; 2] = load(&bias[panel]);
            each(windows, groups, start, b, |at, channel, row| {
                let [p, q] =
                    groups.see::<L>(&x[at..][..windows.window.segments()[0].len], panel, channel);
                let ([low, high], [r, s]) = (acc, load(row));
                acc = [low.add(p.mul(r)), high.add(q.mul(s))];
            });
            store(acc, out, floor);
        }
    }
}

/// As `windows::weight_gradient`.
///
/// # Panics
/// If the lengths do not fit, or a window lies outside of `x`.
pub fn weight_gradient<L: Lanes>(
    x: &[f32],
    windows: &Windows,
    groups: &Groups,
    (d, stride): (&[f32], usize),
    out: &mut [f32],
) {
    let k = windows.window.segments().len() * groups.channels;
    out.fill(0.0);
    for (d, start) in octets(d).chunks_exact(stride / LANES).zip(windows.starts()) {
        for (panel, (d, out)) in d.iter().zip(octets_mut(out).chunks_exact_mut(k)).enumerate() {
            let [r, s]: [L; 2] = load(d);
            let mut rows = out.iter_mut();
            for tap in windows.window.segments() {
                let position = &x[start + tap.offset..][..tap.len];
                for (channel, row) in rows.by_ref().take(groups.channels).enumerate() {
                    let ([p, q], [low, high]): ([L; 2], [L; 2]) =
                        (groups.see::<L>(position, panel, channel), load(row));
                    let sums = [low.add(p.mul(r)), high.add(q.mul(s))];
                    store(sums, row, L::splat(f32::NEG_INFINITY));
                }
            }
        }
    }
}

/// As `windows::input_gradient`, from the packed weights themselves.
///
/// # Panics
/// If the lengths do not fit, or a window lies outside of `dx`.
pub fn input_gradient<L: Lanes>(
    (d, stride): (&[f32], usize),
    b: &[f32],
    windows: &Windows,
    groups: &Groups,
    dx: &mut [f32],
) {
    let k = windows.window.segments().len() * groups.channels;
    let b = octets(b);
    for (d, start) in octets(d).chunks_exact(stride / LANES).zip(windows.starts()) {
        for (panel, (d, b)) in d.iter().zip(b.chunks_exact(k)).enumerate() {
            let [r, s]: [L; 2] = load(d);
            each(windows, groups, start, b, |at, channel, row| {
                let [p, q]: [L; 2] = load(row);
                let parts: [L; 2] = [p.mul(r), q.mul(s)];
                let position = &mut dx[at..][..windows.window.segments()[0].len];
                if groups.is_depthwise {
                    let to = &mut octets_mut(position)[panel];
                    let ([low, high], [p, q]) = (load::<L>(to), parts);
                    store([low.add(p), high.add(q)], to, L::splat(f32::NEG_INFINITY));
                    return;
                }
                let parts = parts.map(Lanes::to_array);
                for (first, part) in groups.firsts[panel].iter().zip(parts.as_flattened()) {
                    position[first + channel] += part;
                }
            });
        }
    }
}

/// Each tap and channel of a window in the order of the weights' rows.
#[inline]
fn each(
    windows: &Windows,
    groups: &Groups,
    start: usize,
    b: &[Octet],
    mut f: impl FnMut(usize, usize, &Octet),
) {
    let mut rows = b.iter();
    for tap in windows.window.segments() {
        for (channel, row) in rows.by_ref().take(groups.channels).enumerate() {
            f(start + tap.offset, channel, row);
        }
    }
}
