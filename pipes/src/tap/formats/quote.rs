//! How text is written in the languages of the formats: a macro of templates for each, by which it is text and nothing else.
//! Does not know what is written. For JSON, and YAML, of which JSON is a part, templates have `tojson`.

/// `ruby(text)`: a string between double quotes. `#` begins what Ruby would replace, where one of three follows.
pub const RUBY: &str = r##"{%- macro ruby(text) -%}
"{{ text | replace("\\", "\\\\") | replace('"', '\\"') | replace("#{", "\\#{") | replace("#$", "\\#$") | replace("#@", "\\#@") }}"
{%- endmacro -%}
"##;

/// `nix(text, more)`: a string between double quotes, in which `more` is Nix. `$` begins what Nix would replace.
pub const NIX: &str = r##"{%- macro nix(text, more="") -%}
"{{ text | replace("\\", "\\\\") | replace('"', '\\"') | replace("$", "\\$") }}{{ more }}"
{%- endmacro -%}
"##;

/// `shell(text)`: a word between single quotes, in which nothing has a meaning but these.
pub const SHELL: &str = r##"{%- macro shell(text) -%}
'{{ text | replace("'", "'\\''") }}'
{%- endmacro -%}
"##;

/// `line(text)`: one line, for what has no quotes.
pub const LINE: &str = r##"{%- macro line(text) -%}
{{ text | split | join(" ") }}
{%- endmacro -%}
"##;
