//! Events for programs: one JSON object a line.

use std::io::Write;

use forge_schemas::Event;

use super::Sink;

/// Writes events to `out`, one a line.
pub struct JsonLines<W: Write> {
    out: W,
}

impl<W: Write> JsonLines<W> {
    /// Into `out`, which is best buffered.
    pub fn new(out: W) -> JsonLines<W> {
        JsonLines { out }
    }

    /// Writes what was told so far.
    pub fn flush(&mut self) {
        let _ = self.out.flush();
    }

    /// Writes what is left.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Sink for JsonLines<W> {
    fn tell(&mut self, event: &Event) {
        // Whoever listens may have gone away; the run goes on.
        if serde_json::to_writer(&mut self.out, event).is_ok() {
            let _ = self.out.write_all(b"\n");
        }
    }
}
