//! Diagnostics as text, in the look of rustc: what, where with a caret, and what to do.
//! Does not know where the text goes, nor whether that is a terminal.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};

use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::source::{Source, Span};

/// Whether text has colours. They add, and never carry, what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// None, for a file or a pipe.
    Plain,
    /// ANSI colours, for a terminal.
    Ansi,
}

/// Who reads a thousand mistakes mends the first and looks again.
const SHOWN: usize = 100;
/// Labels further apart than this many lines are shown as two places.
const NEAR: usize = 8;
/// Longer lines are cut, in characters.
const WIDTH: usize = 140;

/// An excerpt of more bytes is cut around its first label: to lay out a line of a megabyte takes half a second.
const LAID_OUT: usize = 8192;
/// How many bytes of it stay on each side.
const WINDOW: usize = 256;

/// All of `diagnostics`, by source and place, with an empty line after each.
pub fn render(diagnostics: &[Diagnostic], colour: Colour) -> String {
    let renderer = match colour {
        Colour::Plain => Renderer::plain(),
        Colour::Ansi => Renderer::styled().hyperlink(false),
    }
    .term_width(WIDTH);
    let mut text = String::new();
    for diagnostic in sorted(diagnostics).into_iter().take(SHOWN) {
        text.push_str(&render_one(diagnostic, &renderer));
        text.push_str("\n\n");
    }
    text
}

/// The last line: how many mistakes, where, and that therefore `nothing was built`, or what else did not happen.
pub fn summary(diagnostics: &[Diagnostic], therefore: &str, colour: Colour) -> String {
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    let places: BTreeSet<String> = errors
        .iter()
        .filter_map(|diagnostic| diagnostic.labels.first())
        .map(|label| label.source.path.display().to_string())
        .collect();
    let mut message = match errors.len() {
        1 => "1 mistake".to_owned(),
        many => format!("{many} mistakes"),
    };
    if !places.is_empty() {
        message.push_str(&format!(" in {}", places.into_iter().collect::<Vec<_>>().join(" and ")));
    }
    if diagnostics.len() > SHOWN {
        message.push_str(&format!(", of which {SHOWN} are shown"));
    }
    message.push_str(&format!("; {therefore}"));
    render(&[Diagnostic::error(message)], colour).trim_end().to_owned()
}

fn sorted(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| {
        let place = diagnostic.labels.first().map(|label| (&label.source.path, label.span));
        (diagnostic.severity == Severity::Error, place)
    });
    sorted
}

fn render_one(diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(normalize_untrusted_str(&diagnostic.message)));
    let excerpts: Vec<Excerpt> = excerpts(&diagnostic.labels);
    for excerpt in &excerpts {
        group = group.element(excerpt.snippet());
    }
    let rendered = renderer.render(&[help(group, diagnostic)]);
    excerpts.iter().fold(rendered, |rendered, excerpt| excerpt.right_column(rendered))
}

fn help<'a>(group: Group<'a>, diagnostic: &Diagnostic) -> Group<'a> {
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(normalize_untrusted_str(help))),
        None => group,
    }
}

/// A place, what is to be said of it, and whether it has the caret.
type Annotated = (Span, String, AnnotationKind);

/// Some lines of a source, and the labels in them.
struct Excerpt {
    source: Arc<Source>,
    lines: Span,
    labels: Vec<Annotated>,
}

/// The labels, those near to each other together, the first one's place first.
fn excerpts(labels: &[Label]) -> Vec<Excerpt> {
    let mut excerpts: Vec<Excerpt> = Vec::new();
    for (index, label) in labels.iter().enumerate() {
        let span = first_line(&label.source, label.span);
        let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = (span, label.text.clone(), kind);
        match excerpts.iter_mut().find(|excerpt| excerpt.is_near(&label.source, span)) {
            Some(excerpt) => excerpt.add(annotation),
            None => excerpts.push(Excerpt {
                source: label.source.clone(),
                lines: label.source.lines_around(span),
                labels: vec![annotation],
            }),
        }
    }
    excerpts
}

/// A caret under one line says where; a frame around forty does not.
fn first_line(source: &Source, span: Span) -> Span {
    let span = source.within(span);
    let text = source.at(span);
    let end = text.find('\n').map_or(span.end, |newline| span.start + newline);
    Span::new(span.start, end)
}

impl Excerpt {
    fn is_near(&self, source: &Arc<Source>, span: Span) -> bool {
        let line = |at| source.position(at).line;
        Arc::ptr_eq(&self.source, source)
            && line(span.start) + NEAR >= line(self.lines.start)
            && line(span.start) <= line(self.lines.end) + NEAR
    }

    fn add(&mut self, label: Annotated) {
        let lines = self.source.lines_around(label.0);
        self.lines = Span::new(self.lines.start.min(lines.start), self.lines.end.max(lines.end));
        self.labels.push(label);
    }

    /// The lines with all labels; or of what is too long the part around the first label.
    fn snippet(&self) -> Snippet<'_, Annotation<'_>> {
        let (shown, labels) = match self.window() {
            Some(window) => (window, &self.labels[..1]),
            None => (self.lines, self.labels.as_slice()),
        };
        let annotations = labels.iter().map(move |(span, text, kind)| {
            let text = (!text.is_empty()).then(|| normalize_untrusted_str(text));
            kind.span(span.start - shown.start..span.end.min(shown.end) - shown.start).label(text)
        });
        Snippet::source(concealed(self.source.at(shown)))
            .line_start(self.source.position(shown.start).line)
            .path(self.source.path.display().to_string())
            .annotations(annotations)
    }

    fn window(&self) -> Option<Span> {
        let (label, ..) = self.labels.first().filter(|_| self.lines.end - self.lines.start > LAID_OUT)?;
        let line = self.source.lines_around(*label);
        let start = label.start.saturating_sub(WINDOW).max(line.start);
        let end = label.end.saturating_add(WINDOW).min(line.end).min(label.start + LAID_OUT);
        Some(self.source.within(Span::new(start, end)))
    }

    /// A column of the window, said in `rendered`, becomes that of the line.
    fn right_column(&self, rendered: String) -> String {
        let (Some(window), Some((label, ..))) = (self.window(), self.labels.first()) else { return rendered };
        let position = self.source.position(label.start);
        let place = format!("{}:{}:", self.source.path.display(), position.line);
        let column = self.source.at(Span::new(window.start, label.start)).chars().count() + 1;
        rendered.replacen(&format!("{place}{column}\n"), &format!("{place}{}\n", position.column), 1)
    }
}

/// The text as everyone may see it who reads the log of a build: without the passwords that stand in addresses. It is as long as before.
fn concealed(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(text);
    for (colon, _) in text.match_indices("://") {
        let start = colon + "://".len();
        let is_end = |it: char| it.is_whitespace() || "/?#\"'".contains(it);
        let authority = &text[start..];
        let authority = &authority[..authority.find(is_end).unwrap_or(authority.len())];
        let Some((login, _)) = authority.rsplit_once('@') else { continue };
        let password = match login.find(':') {
            Some(colon) => colon + 1..login.len(),
            // The user of other schemes is part of the address: `ssh://git@…`.
            None if text[..colon].ends_with("http") || text[..colon].ends_with("https") => 0..login.len(),
            None => continue,
        };
        let stars = "*".repeat(password.len());
        shown.to_mut().replace_range(start + password.start..start + password.end, &stars);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, labels: &[(&str, &str)], expect: Expect) {
        let source = Source::new("forge.toml", text);
        let mut diagnostic = Diagnostic::error("unknown key `tagz`").help("did you mean `tags`?");
        for (place, label) in labels {
            let start = text.find(place).unwrap();
            diagnostic = diagnostic.label(&source, Span::new(start, start + place.len()), *label);
        }
        expect.assert_eq(&render(&[diagnostic], Colour::Plain));
    }

    #[test]
    fn no_place() {
        check(
            "",
            &[],
            expect![[r#"
            error: unknown key `tagz`
             |
             = help: did you mean `tags`?

        "#]],
        );
    }

    #[test]
    fn passwords_are_not_shown() {
        let check = |text: &str, expect: &str| assert_eq!(concealed(text), expect);
        check("url = \"https://ada:s3c/ret@x\"", "url = \"https://ada:s3c/ret@x\"");
        check("url = \"https://ada:s3cret@x/y@z\"", "url = \"https://ada:******@x/y@z\"");
        check("a = 'http://t0ken@x', b = 'https://:p@w@y'", "a = 'http://*****@x', b = 'https://:***@y'");
        check("ssh://git@x/y and oci://ada:pé@x ", "ssh://git@x/y and oci://ada:***@x ");
        check("mail = \"ada@example.org\" # https://example.org", "mail = \"ada@example.org\" # https://example.org");
    }

    #[test]
    fn one_place() {
        check(
            "a = 1\n\n[[docker]]\ntagz = [] # é\n",
            &[("tagz", "")],
            expect![[r#"
            error: unknown key `tagz`
             --> forge.toml:4:1
              |
            4 | tagz = [] # é
              | ^^^^
              |
              = help: did you mean `tags`?

        "#]],
        );
    }

    #[test]
    fn two_places_near() {
        check(
            "[[docker]]\nid = 'x'\n\n[[docker]]\nid = 'x' #2\n",
            &[("'x' #", "again"), ("'x'", "first here")],
            expect![[r#"
                error: unknown key `tagz`
                 --> forge.toml:5:6
                  |
                2 | id = 'x'
                  |      --- first here
                ...
                5 | id = 'x' #2
                  |      ^^^^^ again
                  |
                  = help: did you mean `tags`?

            "#]],
        );
    }

    #[test]
    fn two_places_far() {
        let text = format!("first\n{}second\n", "\n".repeat(100));
        check(
            &text,
            &[("second", "again"), ("first", "first here")],
            expect![[r#"
            error: unknown key `tagz`
               --> forge.toml:102:1
                |
            102 | second
                | ^^^^^^ again
                |
               ::: forge.toml:1:1
                |
              1 | first
                | ----- first here
                |
                = help: did you mean `tags`?

        "#]],
        );
    }

    #[test]
    fn end_of_file_and_many_lines() {
        check(
            "",
            &[("", "")],
            expect![[r#"
            error: unknown key `tagz`
             --> forge.toml:1:1
              |
            1 |
              | ^
              |
              = help: did you mean `tags`?

        "#]],
        );
        check(
            "a = [\n1,\n2]\n",
            &[("[\n1,\n2]", "a list")],
            expect![[r#"
            error: unknown key `tagz`
             --> forge.toml:1:5
              |
            1 | a = [
              |     ^ a list
              |
              = help: did you mean `tags`?

        "#]],
        );
        check(
            "\ta = 1\r\n\tb = 2\r\n",
            &[("b", "")],
            expect![[r#"
                error: unknown key `tagz`
                 --> forge.toml:2:2
                  |
                2 |     b = 2
                  |     ^
                  |
                  = help: did you mean `tags`?

            "#]],
        );
    }

    #[test]
    fn long_line() {
        let text = format!("a = [{}\"here\",{}]", "\"x\", ".repeat(100), "\"y\", ".repeat(100));
        check(
            &text,
            &[("\"here\"", "")],
            expect![[r#"
            error: unknown key `tagz`
             --> forge.toml:1:506
              |
            1 | ..., "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "here","y", "y", "y", "y", "y", "y", "y", "y", "y", "y", "y", "y", "...
              |                                                                  ^^^^^^
              |
              = help: did you mean `tags`?

        "#]],
        );
    }

    #[test]
    fn many_stand_in_the_order_of_the_text_and_the_last_line_counts_them() {
        let forge = Source::new("forge.toml", "a\nb\n");
        let docker = Source::new("Dockerfile", "c\n");
        let diagnostics = [
            Diagnostic::error("third").at(&forge, Span::new(2, 3)),
            Diagnostic::error("second").at(&forge, Span::new(0, 1)),
            Diagnostic::error("first").at(&docker, Span::new(0, 1)),
            Diagnostic::error("no place"),
            Diagnostic::warning("a warning"),
        ];
        let render_short = |diagnostics: &[Diagnostic]| {
            let text = render(diagnostics, Colour::Plain);
            text.lines().filter(|line| line.contains(": ")).collect::<Vec<_>>().join("\n")
        };
        expect![[r#"
            warning: a warning
            error: no place
            error: first
            error: second
            error: third"#]]
        .assert_eq(&render_short(&diagnostics));
        expect!["error: 4 mistakes in Dockerfile and forge.toml; nothing was built"].assert_eq(&summary(
            &diagnostics,
            "nothing was built",
            Colour::Plain,
        ));
        expect!["error: 1 mistake in forge.toml; nothing was built"].assert_eq(&summary(
            &diagnostics[..1],
            "nothing was built",
            Colour::Plain,
        ));
        expect!["error: 101 mistakes in forge.toml, of which 100 are shown; nothing was built"].assert_eq(&summary(
            &vec![diagnostics[0].clone(); 101],
            "nothing was built",
            Colour::Plain,
        ));
    }

    #[test]
    fn a_line_of_a_megabyte() {
        let text = format!("a = [{}\"here\"]", "\"x\", ".repeat(200_000));
        let source = Source::new("forge.toml", text);
        let end = source.text.len();
        let at_the_end = Diagnostic::error("long").label(&source, Span::new(end - 7, end - 1), "here").help("cut it");
        expect![[r#"
            error: long
             --> forge.toml:1:1000006
              |
            1 | ...x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "here"]
              |                                                               ^^^^^^ here
              |
              = help: cut it

        "#]]
        .assert_eq(&render(std::slice::from_ref(&at_the_end), Colour::Plain));
        assert!(render(&[at_the_end], Colour::Ansi).contains("forge.toml:1:1000006"));
        let all_of_it = Diagnostic::error("long").at(&source, Span::new(4, end));
        expect![[r#"
            error: long
             --> forge.toml:1:5
              |
            1 | a = ["x", "x", "x", "x", "x", "x", "x", "x", "x",...x", "x", "x", "x", "x", "x", "x", "x", "x", "
              |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^...^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        "#]]
        .assert_eq(&render(&[all_of_it], Colour::Plain));
    }

    #[test]
    fn two_places_of_which_one_has_a_long_line() {
        let text = format!("x = 1\na = [{}'y']\nz = 1\n", "'é', ".repeat(4000));
        check(
            &text,
            &[("z", "here"), ("'y'", "there"), ("x", "and there")],
            expect![[r#"
            error: unknown key `tagz`
             --> forge.toml:3:1
              |
            3 | z = 1
              | ^ here
              |
              = help: did you mean `tags`?

        "#]],
        );
        check(
            &text,
            &[("'y'", "here"), ("z", "")],
            expect![[r#"
            error: unknown key `tagz`
             --> forge.toml:2:20006
              |
            2 | ... 'é', 'é', 'é', 'é', 'é', 'é', 'é', 'é', 'é', 'é', 'é', 'é', 'y']
              |                                                                 ^^^ here
              |
              = help: did you mean `tags`?

        "#]],
        );
    }

    #[test]
    fn what_would_drive_a_terminal_is_shown_instead() {
        check(
            "a = \u{1b}[31m\n",
            &[("\u{1b}", "\u{1b}[0m")],
            expect![[r#"
            error: unknown key `tagz`
             --> forge.toml:1:5
              |
            1 | a = ␛[31m
              |     ^ ␛[0m
              |
              = help: did you mean `tags`?

        "#]],
        );
    }
}
