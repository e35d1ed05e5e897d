//! Which clusters share a block: neighbours, until they have enough lines together.
//!
//! Many small clusters would be many small blocks, each with a cost of its own in size and time; a
//! block of many large ones would be made again whenever one of them changes.

/// A block has at least so many lines (but for the last of all), which are 16 to 20 KiB of text.
pub(super) const LINES_A_BLOCK: usize = 96;

/// Groups of neighbours as their ends: group `i` begins where the one before ends.
pub(super) type Ends = Vec<usize>;

/// Groups clusters that have so many lines each, beginning with number `first`.
fn group(lines: &[usize], first: usize) -> Ends {
    let (mut ends, mut sum) = (Vec::new(), 0);
    for (index, &count) in lines.iter().enumerate() {
        // A large one stays alone, so that it is not made again with its neighbours.
        if sum > 0 && count >= LINES_A_BLOCK {
            ends.push(first + index);
            sum = 0;
        }
        sum += count;
        if sum >= LINES_A_BLOCK {
            ends.push(first + index + 1);
            sum = 0;
        }
    }
    let end = first + lines.len();
    if !lines.is_empty() && ends.last() != Some(&end) {
        ends.push(end);
    }
    ends
}

/// Groups the clusters, keeping the groups of before where they still do: one that has become too
/// large is parted, and only if very many have become too small is all grouped anew.
pub(super) fn regroup(before: &[usize], lines: &[usize]) -> Ends {
    let anew = group(lines, 0);
    if before.last() != Some(&lines.len()) {
        return anew;
    }
    let (mut ends, mut start) = (Vec::new(), 0);
    for &end in before {
        let own = &lines[start..end];
        if own.len() > 1 && own.iter().sum::<usize>() >= 3 * LINES_A_BLOCK {
            ends.extend(group(own, start));
        } else {
            ends.push(end);
        }
        start = end;
    }
    if ends.len() > 2 * anew.len() + 8 { anew } else { ends }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_ones_come_together_and_large_ones_stay_alone() {
        assert_eq!(group(&[], 0), Ends::new());
        assert_eq!(group(&[0, 0], 5), [7]);
        assert_eq!(group(&[1; 300], 0), [96, 192, 288, 300]);
        assert_eq!(group(&[50, 50, 500, 1, 96, 3], 10), [12, 13, 14, 15, 16]);
    }

    #[test]
    fn groups_stay_as_they_are_until_they_must_not() {
        let before = group(&[10; 100], 0);
        assert_eq!(before, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        let mut lines = [10; 100];
        lines[33] = 90;
        assert_eq!(regroup(&before, &lines), before, "still not too large");
        lines[33] = 1000;
        let parted = [10, 20, 30, 33, 34, 40, 50, 60, 70, 80, 90, 100];
        assert_eq!(regroup(&before, &lines), parted);
        lines[33] = 0;
        assert_eq!(regroup(&parted, &lines), parted);
        assert_eq!(regroup(&(1..=100).collect::<Vec<_>>(), &lines), group(&lines, 0));
        assert_eq!(regroup(&before, &lines[..50]), group(&lines[..50], 0), "other clusters");
    }
}
