//! Questions of this run that several tasks have: each is asked once, and all hear the same answer.
//! Does not know what they are about.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use forge_schemas::{AnsweredBy, Failure, HttpRequest, HttpResponse, Method};

/// What was answered so far.
#[derive(Default)]
pub struct Asked(Mutex<HashMap<String, Answer>>);

type Answer = Arc<OnceLock<Result<HttpResponse, Failure>>>;

impl Asked {
    /// The answer to a request, which is sent unless it was before. What may be changed by this run is always asked anew, and so
    /// is all that has an answer with a body.
    pub fn once(
        &self,
        request: &HttpRequest,
        send: impl FnOnce() -> Result<HttpResponse, Failure>,
    ) -> Result<HttpResponse, Failure> {
        if request.method != Method::Head || request.by != AnsweredBy::Mirror {
            return send();
        }
        let key = format!("{} {:?}", request.url, request.headers);
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        answer.get_or_init(send).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How often this request is sent that is made three times.
    fn check(request: &HttpRequest, expect: u32) {
        let (asked, sent) = (Asked::default(), Cell::new(0));
        for _ in 0..3 {
            let answer = asked.once(request, || {
                sent.set(sent.get() + 1);
                Ok(HttpResponse { status: 404, ..HttpResponse::default() })
            });
            assert_eq!(answer.map(|it| it.status), Ok(404));
        }
        assert_eq!(sent.get(), expect, "{request:?}");
    }

    #[test]
    fn what_is_only_read_is_asked_once() {
        let request = |method| HttpRequest::new(method, "https://x.example/v2/a/manifests/1");
        let by_mirror = |method| HttpRequest { by: AnsweredBy::Mirror, ..request(method) };
        check(&by_mirror(Method::Head), 1);
        check(&by_mirror(Method::Get), 3);
        check(&request(Method::Head), 3);
    }
}
