//! What differs between two texts, line by line.
//! Does not know what the texts are.

use std::fmt::Write as _;

/// The lines of both, those that stand in `expected` alone behind `-`, those that stand in `seen` alone behind `+`.
pub fn lines(expected: &str, seen: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), seen.lines().collect());
    let common = common(&old, &new);
    let (mut at_old, mut at_new) = (0, 0);
    let mut text = String::new();
    while at_old < old.len() || at_new < new.len() {
        let is_kept = at_old < old.len() && at_new < new.len() && old[at_old] == new[at_new];
        let drops_old =
            at_new == new.len() || (at_old < old.len() && common[at_old + 1][at_new] >= common[at_old][at_new + 1]);
        match (is_kept, drops_old) {
            (true, _) => {
                let _ = writeln!(text, "  {}", old[at_old]);
                (at_old, at_new) = (at_old + 1, at_new + 1);
            }
            (false, true) => {
                let _ = writeln!(text, "- {}", old[at_old]);
                at_old += 1;
            }
            (false, false) => {
                let _ = writeln!(text, "+ {}", new[at_new]);
                at_new += 1;
            }
        }
    }
    text
}

/// How many lines the rest of both have in common, from every pair of lines on.
fn common(old: &[&str], new: &[&str]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for at_old in (0..old.len()).rev() {
        for at_new in (0..new.len()).rev() {
            common[at_old][at_new] = match old[at_old] == new[at_new] {
                true => common[at_old + 1][at_new + 1] + 1,
                false => common[at_old + 1][at_new].max(common[at_old][at_new + 1]),
            };
        }
    }
    common
}

#[test]
fn a_line_that_is_gone_and_one_that_is_new() {
    assert_eq!(lines("a\nb\nc\n", "a\nc\nd\n"), "  a\n- b\n  c\n+ d\n");
    assert_eq!(lines("", "a\n"), "+ a\n");
    assert_eq!(lines("a\n", ""), "- a\n");
}
