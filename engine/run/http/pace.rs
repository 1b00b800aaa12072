//! How patient the client is: how often it tries, how long it waits in between, and how slow an answer may be.
//! Does not know what is asked for, nor of whom.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use forge_schemas::HttpResponse;

/// A lower number is no time at which a server can mean to be asked again.
const OLDEST_RESET: i64 = 1_000_000_000;

/// The limits of a client. `Pace::default()` is what a run has.
#[derive(Debug, Clone)]
pub struct Pace {
    /// How often a request is sent to a server that answers that it can't now, or whose connection breaks.
    pub tries: u32,
    /// How often a server is called that has never answered. A name that is spelled wrong should be heard of soon.
    pub calls: u32,
    /// How often a server is waited for that says nothing, or hardly anything.
    pub silences: u32,
    /// How long to wait after the first try. Each wait is twice the one before.
    pub first_wait: Duration,
    /// The longest wait that we choose.
    pub longest_wait: Duration,
    /// The longest wait that a server may choose (`Retry-After`).
    pub longest_asked: Duration,
    /// How long a server may be silent before it answers. A registry hashes gigabytes before it answers an upload.
    pub silence: Duration,
    /// The time in which at least `least` bytes of an answer must come, as long as it has not ended.
    pub stretch: Duration,
    /// See `stretch`.
    pub least: u64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            tries: 10,
            calls: 5,
            silences: 2,
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(10),
            longest_asked: Duration::from_secs(60),
            silence: Duration::from_secs(300),
            stretch: Duration::from_secs(60),
            least: 60 << 10,
        }
    }
}

impl Pace {
    /// The same with a host that may be silent for so long, if that is said.
    #[must_use]
    pub fn with_patience(&self, patience: Option<Duration>) -> Pace {
        let Some(silence) = patience else { return self.clone() };
        let stretch = self.stretch.min(silence);
        let share = stretch.as_secs_f64() / self.stretch.as_secs_f64();
        Pace { silence, stretch, least: (self.least as f64 * share) as u64, ..self.clone() }
    }

    /// How long to wait when something has failed so often: at least half of the longest wait for that, and by chance
    /// more, so that those whom one server has turned away at once do not all come back at once.
    pub fn wait(&self, failed: u32) -> Duration {
        let doublings = failed.saturating_sub(1).min(31);
        let longest = self.first_wait.saturating_mul(1 << doublings).min(self.longest_wait);
        longest.mul_f64(0.5 + chance() / 2.0)
    }
}

/// Whether a server turns away everything for now. Besides 429 it is a 403 that says when to come again: services with limits answer so.
pub fn is_limited(answer: &HttpResponse) -> bool {
    answer.status == 429 || (answer.status == 403 && asked(answer).is_some())
}

/// How long a server asks us to wait (`Retry-After`): seconds, or a date (RFC 9110, 10.2.3), which is counted from the
/// date of the answer: the server's clock may not be ours. Else until it counts anew what it has let through, where that is used up.
/// None where it says nothing, or nothing that we understand.
pub fn asked(answer: &HttpResponse) -> Option<Duration> {
    let Some(value) = answer.header("retry-after").map(str::trim) else { return used_up(answer) };
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = date(value)?.duration_since(date(answer.header("date")?)?);
    Some(Duration::try_from(wait).unwrap_or_default())
}

fn date(text: &str) -> Option<jiff::Timestamp> {
    Some(jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp())
}

/// `X-RateLimit-Reset`, where `X-RateLimit-Remaining` is 0. It is a time in seconds since 1970; where it can't be one, it is a number of seconds.
fn used_up(answer: &HttpResponse) -> Option<Duration> {
    let number = |name: &str| answer.header(name)?.trim().parse::<i64>().ok();
    let reset = number("x-ratelimit-reset").filter(|_| number("x-ratelimit-remaining") == Some(0))?;
    let wait = if reset < OLDEST_RESET { reset } else { reset - date(answer.header("date")?)?.as_second() };
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or_default()))
}

/// For people: `2 h`, `1 min 30 s`.
pub fn in_words(wait: Duration) -> String {
    let seconds = wait.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if parts.is_empty() { format!("{} s", wait.as_secs_f64()) } else { parts.join(" ") }
}

/// From 0 up to 1.
fn chance() -> f64 {
    // The standard library makes every hasher of `RandomState` another one.
    let bits = RandomState::new().build_hasher().finish() >> 32;
    f64::from(u32::try_from(bits).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_wait(failed: u32, longest: Duration) {
        let waits: Vec<Duration> = (0..100).map(|_| Pace::default().wait(failed)).collect();
        assert!(waits.iter().all(|it| (longest / 2..longest).contains(it)), "{failed}: {waits:?}");
        assert!(waits.iter().any(|it| *it != waits[0]), "{failed}: all waits are the same");
    }

    #[test]
    fn waits_grow_and_are_bounded() {
        check_wait(1, Duration::from_millis(200));
        check_wait(2, Duration::from_millis(400));
        check_wait(4, Duration::from_millis(1600));
        check_wait(9, Duration::from_secs(10));
        check_wait(u32::MAX, Duration::from_secs(10));
    }

    fn check_asked(retry_after: Option<&str>, expect: Option<u64>) {
        let mut answer = HttpResponse { status: 503, ..HttpResponse::default() };
        answer.headers.insert("date".to_owned(), "Wed, 21 Oct 2015 07:28:00 GMT".to_owned());
        answer.headers.extend(retry_after.map(|value| ("retry-after".to_owned(), value.to_owned())));
        assert_eq!(asked(&answer), expect.map(Duration::from_secs), "{retry_after:?}");
    }

    #[test]
    fn what_a_server_asks_for() {
        check_asked(None, None);
        check_asked(Some("0"), Some(0));
        check_asked(Some(" 3 "), Some(3));
        check_asked(Some("86400"), Some(86400));
        check_asked(Some("Wed, 21 Oct 2015 07:28:07 GMT"), Some(7));
        check_asked(Some("Wed, 21 Oct 2015 07:00:00 GMT"), Some(0));
        check_asked(Some("Wed, 21 Oct 2015 08:28:00 GMT"), Some(3600));
        for garbage in ["soon", "-1", "1.5", "", "99999999999999999999", "Wed, 41 Oct 2015"] {
            check_asked(Some(garbage), None);
        }
    }

    fn check_limited(status: u16, headers: &[(&str, &str)], expect: Option<u64>) {
        let date = ("date", "Wed, 21 Oct 2015 07:28:00 GMT");
        let headers = headers.iter().chain([&date]).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let answer = HttpResponse { status, headers: headers.collect(), body: String::new() };
        let wait = is_limited(&answer).then(|| asked(&answer).unwrap_or_default());
        assert_eq!(wait, expect.map(Duration::from_secs), "{answer:?}");
    }

    #[test]
    fn who_turns_all_away() {
        let (none, reset) = (("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1445412510"));
        check_limited(429, &[], Some(0));
        check_limited(403, &[], None);
        check_limited(403, &[("retry-after", "60")], Some(60));
        check_limited(403, &[none, reset], Some(30));
        check_limited(429, &[none, reset], Some(30));
        // It is said to the request, which counts more than what is said of the hour.
        check_limited(403, &[("retry-after", "5"), none, reset], Some(5));
        // It is no limit that turns away who has requests left.
        check_limited(403, &[("x-ratelimit-remaining", "4999"), reset], None);
        check_limited(403, &[none], None);
        check_limited(403, &[none, ("x-ratelimit-reset", "soon")], None);
        // In seconds, and in the past.
        check_limited(403, &[none, ("x-ratelimit-reset", "7")], Some(7));
        check_limited(403, &[none, ("x-ratelimit-reset", "1445412400")], Some(0));
        check_limited(401, &[("retry-after", "5")], None);
    }

    #[test]
    fn waits_for_people() {
        let words = [7200, 90, 3661, 0].map(|it| in_words(Duration::from_secs(it)));
        assert_eq!(words, ["2 h", "1 min 30 s", "1 h 1 min 1 s", "0 s"]);
        assert_eq!(in_words(Duration::from_millis(50)), "0.05 s");
    }
}
