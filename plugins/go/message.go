package plugin

import (
	"encoding/json"
	"fmt"
)

// A Platform is os/arch or os/arch/variant, as container images spell it: linux/amd64, linux/arm/v7.
type Platform string

// A Digest is sha256: and 64 hexadecimal digits.
type Digest string

// A TableName names a table of the project file: [[pipe]] with this id.
type TableName struct {
	Pipe string `json:"pipe"`
	ID   string `json:"id"`
}

// Facts are what is true of the project before the run.
type Facts struct {
	Name            string `json:"name"`
	Version         string `json:"version"` // without a leading v
	Major           uint64 `json:"major"`
	Minor           uint64 `json:"minor"`
	Patch           uint64 `json:"patch"`
	Prerelease      string `json:"prerelease"`
	Tag             string `json:"tag"`
	Commit          string `json:"commit"`
	ShortCommit     string `json:"short_commit"`
	CommitTime      string `json:"commit_time"`      // RFC 3339, UTC
	CommitTimestamp int64  `json:"commit_timestamp"` // seconds since 1970
	GitURL          string `json:"git_url"`          // of the remote origin, without a password; empty where there is none
	Branch          string `json:"branch"`
	Dirty           bool   `json:"dirty"`
	Snapshot        bool   `json:"snapshot"` // a run that publishes nothing
}

// A Selector says which artifacts a table takes: those that answer every field. An empty list asks for nothing in
// particular.
type Selector struct {
	Kinds     []string   `json:"kinds,omitempty"`
	Roles     []Role     `json:"roles,omitempty"`  // kinds by their roles, besides those in Kinds
	Tables    []string   `json:"tables,omitempty"` // ids
	Names     []string   `json:"names,omitempty"`
	Platforms []Platform `json:"platforms,omitempty"` // an artifact without a platform fits every one
	Key       string     `json:"key,omitempty"`       // the key of the settings that it comes from, for the caret
	Expect    Expect     `json:"expect,omitempty"`
}

// Expect says what it means when nothing answers a selector.
type Expect string

// ExpectSome, the default, makes it a mistake of the user; ExpectAny does not.
const (
	ExpectSome Expect = "some"
	ExpectAny  Expect = "any"
)

// Wants is what a table wants before it can plan.
type Wants struct {
	Selectors []Selector
	Sources   []Source // source files to be read; Plan gets their text
	Makes     []string // the kinds of this table, of those that the pipe can make; all where there are none
}

// A Source is a source file that a table reads to plan.
type Source struct {
	Path     string   `json:"path"`               // relative to the project file
	Key      string   `json:"key"`                // the key of the settings that names it
	Presence Presence `json:"presence,omitempty"` // whether it has to be there; empty: it has
	Text     string   `json:"text,omitempty"`
}

// Presence says whether a source file has to be there.
type Presence string

// Whether a source file has to be there: where it is missing it is a mistake of the user's, or Plan is not given it.
const (
	PresenceRequired Presence = "required"
	PresenceOptional Presence = "optional"
)

// An Offer is an artifact that a table has declared but not yet made.
type Offer struct {
	Name     string          `json:"name"` // unique in the plan; also its path under dist/
	Kind     string          `json:"kind"`
	Platform Platform        `json:"platform,omitempty"` // empty for what runs nowhere or everywhere
	Table    TableName       `json:"table"`
	MadeOf   []string        `json:"made_of,omitempty"` // what its step takes, and steps of its table before that
	Detail   json.RawMessage `json:"detail,omitempty"`  // what is known of it beforehand
}

// An Artifact is what a task has made. It never changes.
type Artifact struct {
	Offer
	Digest     Digest `json:"digest"`
	Size       uint64 `json:"size"` // in bytes
	Path       string `json:"path"` // the file that holds its content; absolute
	Executable bool   `json:"executable,omitempty"`
	Blobs      []Blob `json:"blobs,omitempty"` // what else it refers to: an image's layers
}

// A Blob is some content, and the file that holds it.
type Blob struct {
	Digest Digest `json:"digest"`
	Size   uint64 `json:"size"`
	Path   string `json:"path"`
}

// A Step is what a table asks for, with all that decides whether it must run.
type Step struct {
	Name     string       `json:"name,omitempty"` // unique in its table; empty for a table of one step
	Platform Platform     `json:"platform,omitempty"`
	Takes    []string     `json:"takes,omitempty"`    // offers by name, in the order in which Run sees them
	Makes    []Output     `json:"makes,omitempty"`    // all of these, and no others
	Replaces []string     `json:"replaces,omitempty"` // of Takes: what Makes takes the place of, for who takes by kind
	Effect   Effect       `json:"effect,omitempty"`
	Recall   Recall       `json:"recall,omitempty"` // whether what it publishes can be taken back
	Memory   Memory       `json:"memory,omitempty"`
	Reads    []Read       `json:"reads,omitempty"`   // source files that it reads
	Writes   []string     `json:"writes,omitempty"`  // files of the project that it writes: what reads them waits for it
	Env      []string     `json:"env,omitempty"`     // environment variables that matter to it
	Tools    []Tool       `json:"tools,omitempty"`   // programs whose version matters to it
	Names    []string     `json:"names,omitempty"`   // of the world outside: Probe finds what each means, forge.lock may say it
	Secrets  []SecretNeed `json:"secrets,omitempty"` // that it can't do without
	Traced   Traced       `json:"traced,omitempty"`  // whether Host.Trace tells it how what it takes came to be
	Resource Resource     `json:"resource,omitempty"`
	Params   any          `json:"params,omitempty"` // all that Run wants to know; while running, its JSON
	Place    *Place       `json:"place,omitempty"`  // where in the project file it comes from
}

// A SecretNeed is a secret that a step can't do without.
type SecretNeed struct {
	Name   string `json:"name"`             // in [secrets]
	Place  *Place `json:"place,omitempty"`  // where the user names it
	Reader string `json:"reader,omitempty"` // "program", from its environment, or "pipe", by Host.Secret
}

// An Output is an artifact that a step makes.
type Output struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind"` // one that the pipe has described
	Platform Platform `json:"platform,omitempty"`
	Detail   any      `json:"detail,omitempty"` // what is known of it beforehand
}

// An Effect is what a step does to the world.
type Effect string

// Local changes nothing outside of this machine. Stage makes something remote that nobody sees yet. Publish makes
// something that the world sees, and starts only when every other task is done.
const (
	Local   Effect = "local"
	Stage   Effect = "stage"
	Publish Effect = "publish"
)

// Recall says whether what a step publishes can be taken back. What can't be is published after all that can.
type Recall string

// What a step with this Recall publishes is there for good.
const RecallImpossible Recall = "impossible"

// Traced says whether a step is told how what it takes came to be. It then runs again when any of that has changed.
type Traced string

// A step that is told of its inputs asks Host.Trace; its plugin needs the service "artifact.trace".
const TracedInputs Traced = "inputs"

// A TraceInfo is how what a step takes came to be.
type TraceInfo struct {
	Forge   string       `json:"forge"` // its version
	Project SourceFile   `json:"project"`
	Tasks   []TracedTask `json:"tasks"` // each after all that it needed
}

// A SourceFile is a file of the project.
type SourceFile struct {
	Path   string `json:"path"`
	Digest Digest `json:"digest"`
}

// A TracedTask was done: in this run or, of the same in every respect, in one before.
type TracedTask struct {
	Task        string           `json:"task"`
	Table       TableName        `json:"table"`
	Platform    Platform         `json:"platform,omitempty"`
	Plugin      string           `json:"plugin"`            // which build of it
	Fingerprint Digest           `json:"fingerprint"`       // of a REAPI action
	Step        Digest           `json:"step"`              // what it was told to do
	Sources     Digest           `json:"sources,omitempty"` // of a REAPI directory
	Tools       []TracedTool     `json:"tools,omitempty"`
	Takes       []string         `json:"takes,omitempty"`
	Makes       []TracedArtifact `json:"makes"`
}

// A TracedTool is a program that a task was done with.
type TracedTool struct {
	Tool   string `json:"tool"`   // go version
	Digest Digest `json:"digest"` // of what it said, or of its file
	Said   string `json:"said,omitempty"`
}

// A TracedArtifact is what a task made.
type TracedArtifact struct {
	Name   string          `json:"name"`
	Kind   string          `json:"kind"`
	Digest Digest          `json:"digest"`
	Detail json.RawMessage `json:"detail"`
}

// Memory says whether a step may be remembered.
type Memory string

// Content: same inputs, same outputs, so it need not run again. Never: it asks the world, and runs every time.
const (
	Content Memory = "content"
	Never   Memory = "never"
)

// A Read names source files that a step reads: a file, a directory with all that is in it, or a glob.
type Read struct {
	Path   string   `json:"path"`             // relative to the project file
	Except []string `json:"except,omitempty"` // what of it is not read: patterns as those of a .dockerignore
	Place  Place    `json:"place"`

	Presence Presence `json:"presence,omitempty"` // whether it must name a file at all; empty: it must
}

// A Tool is a program whose version decides what comes out.
type Tool struct {
	Program string   `json:"program"`
	Version []string `json:"version"` // what makes it print its version; empty: its file is hashed instead
}

// A Resource bounds how many steps run side by side: CPU, Memory…, or Exclusive of a name.
type Resource struct{ name, exclusive string }

// CPU, the default: as many as --jobs says. MuchMemory: few at a time. Network: many at a time.
var (
	CPU        = Resource{name: "cpu"}
	MuchMemory = Resource{name: "memory"}
	Network    = Resource{name: "network"}
)

// Exclusive is one at a time of this name.
func Exclusive(name string) Resource { return Resource{exclusive: name} }

// MarshalJSON writes it as forge reads it.
func (r Resource) MarshalJSON() ([]byte, error) {
	if r.exclusive != "" {
		return json.Marshal(map[string]string{"exclusive": r.exclusive})
	}
	if r.name == "" {
		return json.Marshal(CPU.name)
	}
	return json.Marshal(r.name)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Resource) UnmarshalJSON(data []byte) error {
	var of struct{ Exclusive string }
	if json.Unmarshal(data, &of) == nil && of.Exclusive != "" {
		*r = Exclusive(of.Exclusive)
		return nil
	}
	*r = Resource{}
	return json.Unmarshal(data, &r.name)
}

// A Place is where a problem is: a key of the table (platforms[1].os, empty for the table itself), or, with Path, bytes of
// a source file.
type Place struct {
	Key        string
	Path       string
	Start, End int
}

type filePlace struct {
	Path  string `json:"path"`
	Start int    `json:"start"`
	End   int    `json:"end"`
}

// MarshalJSON writes it as forge reads it.
func (p Place) MarshalJSON() ([]byte, error) {
	if p.Path != "" {
		return json.Marshal(map[string]filePlace{"file": {p.Path, p.Start, p.End}})
	}
	return json.Marshal(map[string]string{"key": p.Key})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Place) UnmarshalJSON(data []byte) error {
	var of struct {
		Key  string     `json:"key"`
		File *filePlace `json:"file"`
	}
	if err := json.Unmarshal(data, &of); err != nil {
		return err
	}
	*p = Place{Key: of.Key}
	if of.File != nil {
		*p = Place{Path: of.File.Path, Start: of.File.Start, End: of.File.End}
	}
	return nil
}

// A Problem is one mistake of the user, found while planning.
type Problem struct {
	Place   Place  `json:"place"`
	Message string `json:"message"`        // a phrase, lower case, no full stop
	Help    string `json:"help,omitempty"` // what to do about it
}

// Problems is all that is wrong with a table, as an error.
type Problems []Problem

// Error is their messages.
func (p Problems) Error() string {
	text := ""
	for i, problem := range p {
		if i > 0 {
			text += "; "
		}
		text += problem.Message
	}
	return text
}

// AtKey is a problem of the value at a key of the table.
func AtKey(key, format string, values ...any) Problem {
	return Problem{Place: Place{Key: key}, Message: fmt.Sprintf(format, values...)}
}

// WithHelp is the same, with what to do about it.
func (p Problem) WithHelp(help string) Problem {
	p.Help = help
	return p
}

// A Finding is one place that a step would put something to, and what lies there now.
type Finding struct {
	Place  string `json:"place"`           // as users call it
	There  Digest `json:"there,omitempty"` // empty where nothing lies, or that can't be told
	Ours   Digest `json:"ours,omitempty"`  // empty while what the step takes is not made
	Change Change `json:"change"`
}

// A Change is what doing a step would mean at a place.
type Change struct {
	Is      string `json:"is"`
	Because string `json:"because,omitempty"` // of a conflict: why what is there should stay
}

// What a Change is. A conflict is not done unless the user says so.
const (
	ChangeUnknown  = "unknown"
	ChangeNone     = "none"
	ChangeNew      = "new"
	ChangeMove     = "move"
	ChangeConflict = "conflict"
)

// A Command is a program to start. There is no shell.
type Command struct {
	Argv []string          `json:"argv"`
	Dir  string            `json:"dir,omitempty"` // default: the step's own directory
	Env  map[string]string `json:"env,omitempty"` // added to what forge gives every program
}

// An Exit is how a program ended.
type Exit struct {
	Code   *int   `json:"code"`   // nil where a signal ended it
	Signal *int   `json:"signal"` // the signal that ended it
	Stdout string `json:"stdout"` // the last mebibyte
	Stderr string `json:"stderr"` // the last 64 kibibytes
}

// Success tells whether it ended with exit status 0.
func (e Exit) Success() bool { return e.Code != nil && *e.Code == 0 }

// An HTTPRequest is sent by forge, which adds the credentials of the host, repeats what may be repeated, and follows
// redirects of GET and HEAD.
type HTTPRequest struct {
	Method        string            `json:"method"` // HEAD, GET, POST, PUT, PATCH, DELETE
	URL           string            `json:"url"`
	Headers       map[string]string `json:"headers,omitempty"` // Authorization only where Authorization below is own
	Body          Body              `json:"body"`
	Scopes        []string          `json:"scopes,omitempty"`        // to ask a token server for
	ToFile        string            `json:"to_file,omitempty"`       // where the answer's body goes; without it, inline, 4 MiB at most
	HeadOnly      bool              `json:"head_only,omitempty"`     // leaves the body of a success unread
	Digest        Digest            `json:"digest,omitempty"`        // what the answer's body must hash to
	Repeat        string            `json:"repeat,omitempty"`        // by_method (default), always, never
	By            string            `json:"by,omitempty"`            // who may answer: its_host (default), mirror: one of a registry too
	Authorization string            `json:"authorization,omitempty"` // when the host hears who asks: when_asked (default), bearer: at once, own: it is in Headers
	Failed        uint32            `json:"failed,omitempty"`        // how often the caller has tried before: forge waits first
}

// A Body is what a request sends: nothing, Text, or the file at Path, of which Offset and Size choose a part.
type Body struct {
	Text   string
	Path   string
	Offset uint64
	Size   uint64 // 0: up to its end
}

// MarshalJSON writes it as forge reads it.
func (b Body) MarshalJSON() ([]byte, error) {
	switch {
	case b.Path != "":
		file := map[string]any{"path": b.Path, "offset": b.Offset, "size": nil}
		if b.Size > 0 {
			file["size"] = b.Size
		}
		return json.Marshal(map[string]any{"file": file})
	case b.Text != "":
		return json.Marshal(map[string]string{"text": b.Text})
	default:
		return json.Marshal("empty")
	}
}

// UnmarshalJSON reads what MarshalJSON writes.
func (b *Body) UnmarshalJSON(data []byte) error {
	*b = Body{}
	if string(data) == `"empty"` {
		return nil
	}
	var of struct {
		Text string `json:"text"`
		File struct {
			Path   string  `json:"path"`
			Offset uint64  `json:"offset"`
			Size   *uint64 `json:"size"`
		} `json:"file"`
	}
	if err := json.Unmarshal(data, &of); err != nil {
		return err
	}
	*b = Body{Text: of.Text, Path: of.File.Path, Offset: of.File.Offset}
	if of.File.Size != nil {
		b.Size = *of.File.Size
	}
	return nil
}

// An HTTPResponse is the answer. A status of 400 and more is one too, and no error.
type HTTPResponse struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"` // names in lower case
	Body    string            `json:"body"`    // where it was not written to a file
}

// Success tells whether the status is 2xx.
func (r HTTPResponse) Success() bool { return r.Status >= 200 && r.Status < 300 }

// Emit says that a declared artifact is made.
type Emit struct {
	Name   string     `json:"name"` // one of those that the step declared
	Path   string     `json:"path"` // a file in the step's directory, which is moved away
	Blobs  []EmitBlob `json:"blobs,omitempty"`
	Detail any        `json:"detail"` // what is known of it now, as its kind's schema says
}

// An EmitBlob is content that an artifact refers to: a file in the step's directory, or what an input holds.
type EmitBlob struct {
	File string `json:"file,omitempty"`
	Held Digest `json:"held,omitempty"`
}

// A Failure is why a call failed, as an error.
type Failure struct {
	Class   Class    `json:"class"`
	Message string   `json:"message"` // a phrase, lower case, no full stop, without the name of the pipe
	Causes  []string `json:"causes,omitempty"`
	Help    string   `json:"help,omitempty"`
	// Whether the other end was not reached, for sure: nothing came of what was to be sent, so that it may be sent again.
	Unreached bool `json:"unreached,omitempty"`
}

// A Class is what sort of failure it is.
type Class string

// The classes of failures.
const (
	Tooling   Class = "tool"      // a program did not do what it should
	Transient Class = "network"   // trying again may help
	Silent    Class = "silent"    // the other end said nothing for as long as it may
	Refused   Class = "refused"   // the other end refuses
	Input     Class = "input"     // what the step was given is not what it can work with
	Machine   Class = "machine"   // no room, no right to a file
	Cancelled Class = "cancelled" // the run was interrupted
	Bug       Class = "bug"       // a bug in the pipe
)

// Error is the message.
func (f *Failure) Error() string { return f.Message }

// Fail is a failure of this class.
func Fail(class Class, format string, values ...any) *Failure {
	return &Failure{Class: class, Message: fmt.Sprintf(format, values...)}
}

// A KindInfo is a kind of artifact: its name, the JSON Schema of its detail, and what its artifacts are to users.
type KindInfo struct {
	Name   string `json:"name"`
	Detail any    `json:"detail"`
	Role   Role   `json:"role,omitempty"`
}

// A Role is what artifacts of a kind are to the users of a release. Who takes what users get selects by it.
type Role string

// The roles of kinds. The empty one is that of what becomes part of something else.
const (
	RoleDelivery Role = "delivery" // what users download and install
	RoleAbout    Role = "about"    // what is said about that
	RoleSums     Role = "sums"     // what the others hash to
	RoleProof    Role = "proof"    // what shows that another one is genuine
)

// A Level is how much a line of the log matters.
type Level uint32

// The levels of log lines.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
)
