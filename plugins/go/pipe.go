package plugin

import "encoding/json"

// A Pipe is the code for one kind of table. Settings is one table, Params what Plan tells Run.
type Pipe[Settings, Params any] interface {
	// About says what it is.
	About() About
	// Takes says which artifacts a table wants, and which source files it must read to plan. Pure.
	Takes(settings Settings) (Wants, error)
	// Plan answers the steps of a table. Pure: no file, no network, no clock. An error is a mistake of the user: Problems.
	Plan(settings Settings, given *Given) ([]Step, error)
	// Run does one step. It acts through host, and in host.Dir(), and nowhere else.
	Run(params Params, step *Step, host Host) error
}

// A Prober is a pipe with remote effects that can tell what lies where a step would put something. Forge asks before
// anything runs, with no inputs: then it finds out whether one gets there at all. And again before the step runs, with
// them. It only looks: of the host it has GET, HEAD and what was remembered.
type Prober[Params any] interface {
	Probe(params Params, step *Step, host Host) ([]Finding, error)
}

// About is what a pipe says of itself.
type About struct {
	Name    string     // its table in the project file: acme_upload for [[acme_upload]]
	Summary string     // one line for people
	Makes   []KindInfo // the kinds it can make: see Kind
	Needs   []string   // services that it can't do without: "secret.get". A forge that has not all of them refuses the plugin
}

// Kind describes a kind of artifact by the type of its detail. A kind of a plugin's own is called PLUGIN.kind; any other
// name is one of forge's own, and the schema is forge's.
func Kind[Detail any](name string) KindInfo {
	return KindInfo{Name: name, Detail: SchemaOf[Detail]()}
}

// Given is what Plan is given.
type Given struct {
	Table   TableName
	Facts   Facts
	Offers  []Offer  // what the tables that it takes from have declared: all that answers one of its selectors
	Sources []Source // the source files that it asked for

	// Renderer renders a template with the facts and these names, and tells which facts it names. Render and Later call it.
	Renderer func(template string, names any) (Rendered, error)
}

// Rendered is what became of a template.
type Rendered struct {
	Text  string                     `json:"text"`
	Names map[string]json.RawMessage `json:"names"` // the facts that it names; of Plan alone
}

// Render renders the template at a key with the facts and these names: an object, or nil. The error is a Problem at key.
func (g *Given) Render(key string, template Template, names any) (string, error) {
	rendered, err := g.rendered(key, template, names)
	return rendered.Text, err
}

// A Later is a template that waits for names which only Run knows, and the facts that it names. It belongs into the
// params of a step, and is rendered by its Render.
type Later struct {
	Template string                     `json:"template"`
	Facts    map[string]json.RawMessage `json:"facts,omitempty"`
}

// Later keeps the template at a key for Run. It is tried now, with names as they might be, so that a mistake in it is told
// while planning. The facts that it names go with it, and others do not: the step runs again when one of these changes.
func (g *Given) Later(key string, template Template, perhaps any) (Later, error) {
	rendered, err := g.rendered(key, template, perhaps)
	return Later{string(template), rendered.Names}, err
}

// Render is the text of the template with these names: an object.
func (l Later) Render(host Host, names any) (string, error) {
	all := map[string]any{}
	for name, value := range l.Facts {
		all[name] = value
	}
	text, err := json.Marshal(names)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return "", Fail(Bug, "the names of a template are no object: %v", err)
	}
	return host.Render(l.Template, all)
}

func (g *Given) rendered(key string, template Template, names any) (Rendered, error) {
	if names == nil {
		names = struct{}{}
	}
	rendered, err := g.Renderer(string(template), names)
	if err != nil {
		return Rendered{}, Problems{AtKey(key, "%s", err)}
	}
	return rendered, nil
}

// Source is the text of a source file that Takes asked for; empty where it did not.
func (g *Given) Source(path string) string {
	for _, source := range g.Sources {
		if source.Path == path {
			return source.Text
		}
	}
	return ""
}

// DetailOf decodes what is known of an artifact.
func DetailOf[Detail any](offer Offer) (Detail, error) {
	var detail Detail
	err := json.Unmarshal(offer.Detail, &detail)
	return detail, err
}

// A Host is all that a pipe may do to the world. Its methods block; any goroutine may call them, several at once. Their
// errors are *Failure: return them as they are, or wrapped.
type Host interface {
	// Inputs is what the step takes, made, in the order of Step.Takes.
	Inputs() []Artifact
	// Found is what Probe has found just before; empty for a step that does not publish.
	Found() []Finding
	// Root is the directory of the project file; absolute. To be read, never written.
	Root() string
	// Dir is an empty directory of this step alone; absolute. What it emits is moved out of here.
	Dir() string
	// Exec starts a program and waits for it; its output goes to the task's log. A program that fails is no error.
	Exec(command Command) (Exit, error)
	// HTTP sends a request. An answer of status 400 and more is no error.
	HTTP(request HTTPRequest) (HTTPResponse, error)
	// Emit says that an artifact that the step declared is made, and answers it as it lies in the store.
	Emit(emit Emit) (Artifact, error)
	// Log says something to the user: one line.
	Log(level Level, message string)
	// Progress says how far the step is, in any unit; total 0 where that is not known.
	Progress(done, total uint64, message string)
	// Cancelled tells whether the step should stop soon.
	Cancelled() bool
	// Remember keeps what a remote side answered, for a later run of the same task.
	Remember(key string, value any) error
	// Secret is one that the step's table is granted, where it says reveal = true. Most pipes need none: requests get their
	// credentials and programs their variables without the pipe.
	Secret(name string) (string, error)
	// Trace is how what the step takes came to be, for a step whose Traced says so. Its plugin needs "artifact.trace".
	Trace() (*TraceInfo, error)
	// Render is the text of a template with these names, an object, and without facts: see Later, which has them.
	Render(template string, names any) (string, error)
	// Recall decodes what was remembered into value, and tells whether there was anything.
	Recall(key string, value any) (bool, error)
}
