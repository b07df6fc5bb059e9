//! Where windows lie in the rows of a batch, and what they consist of.

/// Where the windows of one row of the batch lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Windows one below the other.
    pub down: usize,
    /// Windows side by side.
    pub across: usize,
    /// Numbers from the start of a window to that of the one below.
    pub line: usize,
    /// Numbers from the start of a window to that of the next one.
    pub step: usize,
    /// Numbers from one row of the batch to the next.
    pub stride: usize,
    /// What a window consists of.
    pub window: Window,
}

/// What windows consist of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub(super) segments: Vec<Segment>,
    /// From the start of the window to each number of its row.
    pub(super) offsets: Vec<u32>,
    /// Numbers from the first to behind the last one.
    pub(super) span: usize,
}

/// Numbers of a window that lie side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// From the start of the window.
    pub offset: usize,
    /// How many.
    pub len: usize,
}

impl Window {
    /// A window of these segments.
    ///
    /// # Panics
    /// If it reaches over 2^32 numbers.
    pub fn new(segments: Vec<Segment>) -> Self {
        let mut offsets = Vec::with_capacity(segments.iter().map(|segment| segment.len).sum());
        for Segment { offset, len } in &segments {
            let numbers = (*offset..offset + len).map(u32::try_from);
            offsets.extend(numbers.map(|number| number.expect("a window fits its input")));
        }
        let span = segments.iter().map(|segment| segment.offset + segment.len).max();
        Self { segments, offsets, span: span.unwrap_or(0) }
    }

    /// What it consists of.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Numbers of its row.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether it has no numbers.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }
}

impl Windows {
    /// Windows per row of the batch.
    pub fn count(&self) -> usize {
        self.down * self.across
    }

    /// The starts of all windows, row by row of the batch, without end.
    pub fn starts(&self) -> Starts<'_> {
        Starts { windows: self, row: 0, line: 0, start: 0, down: 0, across: 0 }
    }
}

/// See [`Windows::starts`].
#[derive(Clone, Debug)]
pub struct Starts<'w> {
    windows: &'w Windows,
    /// Starts of the row of the batch, of the line of windows and of the window to come.
    row: usize,
    line: usize,
    start: usize,
    /// Lines and windows of the line that are done.
    down: usize,
    across: usize,
}

impl Iterator for Starts<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.across == self.windows.across {
            (self.down, self.across) = (self.down + 1, 0);
            self.line += self.windows.line;
            if self.down == self.windows.down {
                self.down = 0;
                self.row += self.windows.stride;
                self.line = self.row;
            }
            self.start = self.line;
        }
        self.across += 1;
        let start = self.start;
        self.start += self.windows.step;
        Some(start)
    }
}
