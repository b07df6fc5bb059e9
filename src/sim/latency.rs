//! How long things take to become final, in virtual time.
//!
//! From the moment in which an owner's command reaches its node: writing, signing and the disk are
//! part of it. *Own* is when the member that submitted it has it final, *everywhere* when the last
//! honest member has.

/// Milliseconds of many items, of one simulation or of several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    /// Items that nobody contested.
    pub uncontested: Times,
    /// Names that several members registered at once: from the first registration.
    pub contested: Times,
}

/// Milliseconds in the order in which they were measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// Until it was final where it was submitted.
    pub own_ms: Vec<u64>,
    /// Until it was final at every honest member.
    pub everywhere_ms: Vec<u64>,
}

impl Latencies {
    /// Adds those of another simulation.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in
            [(&mut self.uncontested, &other.uncontested), (&mut self.contested, &other.contested)]
        {
            mine.own_ms.extend(&theirs.own_ms);
            mine.everywhere_ms.extend(&theirs.everywhere_ms);
        }
    }

    /// As figures of a report; none for what was not measured.
    pub fn figures(&self) -> Vec<(&'static str, u64)> {
        let rows = [
            (&self.uncontested.own_ms, "ms to final, uncontested, own, p50", 50),
            (&self.uncontested.own_ms, "ms to final, uncontested, own, p99", 99),
            (&self.uncontested.everywhere_ms, "ms to final, uncontested, everywhere, p50", 50),
            (&self.uncontested.everywhere_ms, "ms to final, uncontested, everywhere, p99", 99),
            (&self.contested.own_ms, "ms to final, contested, own, p50", 50),
            (&self.contested.own_ms, "ms to final, contested, own, p99", 99),
            (&self.contested.everywhere_ms, "ms to final, contested, everywhere, p50", 50),
            (&self.contested.everywhere_ms, "ms to final, contested, everywhere, p99", 99),
        ];
        let figure =
            |(times, name, share): (&Vec<u64>, _, _)| Some((name, percentile(times, share)?));
        rows.into_iter().filter_map(figure).collect()
    }
}

/// The least time that so many of a hundred do not exceed; `None` of nothing.
pub fn percentile(times: &[u64], share: usize) -> Option<u64> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * share).div_ceil(100).max(1) - 1;
    sorted.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&[7], 99), Some(7));
        let times: Vec<u64> = (1..=200).rev().collect();
        assert_eq!((percentile(&times, 50), percentile(&times, 99)), (Some(100), Some(198)));
    }
}
