// Package plugintest has a host in memory for the tests of a pipe: real files, scripted programs and servers.
package plugintest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"forge.example/plugin"
)

// A Host is a plugin.Host. Its programs do nothing and succeed, and its servers have nothing (404), unless OnExec and
// OnHTTP say otherwise. What a step did to it stands in its other fields; no goroutine of the step may be left when they are
// read.
type Host struct {
	OnExec func(plugin.Command) plugin.Exit
	OnHTTP func(plugin.HTTPRequest) plugin.HTTPResponse
	Stop   bool // what Cancelled answers
	// Secrets are those that the table reveals to its pipe.
	Secrets map[string]string
	// Origin is how what steps take came to be, for those that say that they are told.
	Origin *plugin.TraceInfo

	Artifacts []plugin.Artifact // all there are: given, and made by steps before
	Commands  []plugin.Command
	Requests  []plugin.HTTPRequest
	Logs      []string
	Notes     map[string]json.RawMessage

	lock   sync.Mutex
	root   string
	dir    string
	step   *plugin.Step
	inputs []plugin.Artifact
	found  []plugin.Finding
	made   []plugin.Artifact
}

// New is a host whose directories go away with the test.
func New(t testing.TB) *Host {
	zero := 0
	return &Host{
		OnExec: func(plugin.Command) plugin.Exit { return plugin.Exit{Code: &zero} },
		OnHTTP: func(plugin.HTTPRequest) plugin.HTTPResponse { return plugin.HTTPResponse{Status: 404} },
		Notes:  map[string]json.RawMessage{},
		root:   t.TempDir(),
		dir:    t.TempDir(),
	}
}

// WithArtifact adds an artifact for steps to take: what is known of it, and its content. Its table is KIND:test.
func (h *Host) WithArtifact(name, kind string, platform plugin.Platform, detail any, content string) *Host {
	known, err := json.Marshal(detail)
	if err != nil {
		panic(err)
	}
	path := filepath.Join(h.root, "made", filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		panic(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		panic(err)
	}
	offer := plugin.Offer{Name: name, Kind: kind, Platform: platform, Table: plugin.TableName{Pipe: kind, ID: "test"}, Detail: known}
	h.Artifacts = append(h.Artifacts, artifact(offer, path, []byte(content)))
	return h
}

// Facts are those of a project hello at tag v1.2.3.
func Facts() plugin.Facts {
	return plugin.Facts{
		Name: "hello", Version: "1.2.3", Major: 1, Minor: 2, Patch: 3, Tag: "v1.2.3",
		Commit: "4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5", ShortCommit: "4805ca7",
		CommitTime: "2026-01-02T03:04:05Z", CommitTimestamp: 1767323045, Branch: "main",
	}
}

// Plan answers the steps of a table with these settings, as JSON. The table is shown all artifacts of the host that it
// takes. Its templates may say {{ name }} of a fact, or of the names that it gives.
func Plan[Settings, Params any](pipe plugin.Pipe[Settings, Params], settings string, host *Host) ([]plugin.Step, error) {
	var typed Settings
	if err := json.Unmarshal([]byte(settings), &typed); err != nil {
		return nil, err
	}
	wants, err := pipe.Takes(typed)
	if err != nil {
		return nil, err
	}
	given := plugin.Given{
		Table:    plugin.TableName{Pipe: pipe.About().Name, ID: "test"},
		Facts:    Facts(),
		Offers:   chosen(wants.Selectors, host.Artifacts),
		Renderer: func(template string, names any) (plugin.Rendered, error) { return render(template, Facts(), names) },
	}
	for _, source := range wants.Sources {
		text, err := os.ReadFile(filepath.Join(host.root, source.Path))
		if err != nil {
			return nil, err
		}
		source.Text = string(text)
		given.Sources = append(given.Sources, source)
	}
	return pipe.Plan(typed, &given)
}

// Run runs a step with the artifacts that it takes, in an empty directory, and answers what it made. A step that publishes
// is probed before, where its pipe can. One that takes what is not there, or does not make what it declared, fails.
func Run[Settings, Params any](pipe plugin.Pipe[Settings, Params], step plugin.Step, host *Host) ([]plugin.Artifact, error) {
	params, err := typed[Params](step)
	if err != nil {
		return nil, err
	}
	if err := host.begin(&step); err != nil {
		return nil, err
	}
	if prober, ok := pipe.(plugin.Prober[Params]); ok && step.Effect == plugin.Publish {
		if host.found, err = prober.Probe(params, &step, host); err != nil {
			return nil, err
		}
	}
	if err := pipe.Run(params, &step, host); err != nil {
		return nil, err
	}
	if len(host.made) != len(step.Makes) {
		return nil, fmt.Errorf("the step declares %d artifacts, and made %d", len(step.Makes), len(host.made))
	}
	host.Artifacts = append(host.Artifacts, host.made...)
	return host.made, nil
}

// typed is what a step tells Run, through JSON as in forge.
func typed[Params any](step plugin.Step) (params Params, err error) {
	text, err := json.Marshal(step.Params)
	if err == nil {
		err = json.Unmarshal(text, &params)
	}
	return params, err
}

func (h *Host) begin(step *plugin.Step) error {
	h.step, h.inputs, h.found, h.made = step, nil, nil, nil
	for _, name := range step.Takes {
		found := false
		for _, artifact := range h.Artifacts {
			if artifact.Name == name && !found {
				h.inputs, found = append(h.inputs, artifact), true
			}
		}
		if !found {
			return fmt.Errorf("the step takes `%s`, which is not there", name)
		}
	}
	return nil
}

func chosen(selectors []plugin.Selector, artifacts []plugin.Artifact) []plugin.Offer {
	var offers []plugin.Offer
	for _, artifact := range artifacts {
		for _, selector := range selectors {
			if has(selector.Kinds, artifact.Kind) && has(selector.Tables, artifact.Table.ID) && has(selector.Names, artifact.Name) &&
				(artifact.Platform == "" || has(selector.Platforms, artifact.Platform)) {
				offers = append(offers, artifact.Offer)
				break
			}
		}
	}
	return offers
}

// has tells whether a list asks for this; an empty one asks for nothing in particular.
func has[T comparable](list []T, this T) bool {
	for _, one := range list {
		if one == this {
			return true
		}
	}
	return len(list) == 0
}

func render(template string, facts, names any) (plugin.Rendered, error) {
	rendered := plugin.Rendered{Names: map[string]json.RawMessage{}}
	known, err := membersOf(names)
	if err != nil {
		return rendered, err
	}
	also, err := membersOf(facts)
	if err != nil {
		return rendered, err
	}
	for {
		before, rest, found := strings.Cut(template, "{{")
		rendered.Text += before
		if !found {
			return rendered, nil
		}
		name, after, _ := strings.Cut(rest, "}}")
		name, template = strings.TrimSpace(name), after
		value, found := known[name]
		if !found {
			if value, found = also[name]; !found {
				return rendered, fmt.Errorf("undefined name `%s`", name)
			}
			rendered.Names[name] = value
		}
		text := string(value)
		_ = json.Unmarshal(value, &text) // what is no string stays as it is
		rendered.Text += text
	}
}

func membersOf(object any) (members map[string]json.RawMessage, err error) {
	text, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(text, &members)
	}
	return members, err
}

func artifact(offer plugin.Offer, path string, content []byte) plugin.Artifact {
	digest := plugin.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(content)))
	return plugin.Artifact{Offer: offer, Digest: digest, Size: uint64(len(content)), Path: path}
}

// Inputs is what the step takes.
func (h *Host) Inputs() []plugin.Artifact { return h.inputs }

// Found is what the pipe's Probe has found.
func (h *Host) Found() []plugin.Finding { return h.found }

// Root is a directory of this test: write the project's files there.
func (h *Host) Root() string { return h.root }

// Dir is a directory of this test.
func (h *Host) Dir() string { return h.dir }

// Exec writes the command down, and answers what OnExec does.
func (h *Host) Exec(command plugin.Command) (plugin.Exit, error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.Commands = append(h.Commands, command)
	return h.OnExec(command), nil
}

// HTTP writes the request down, and answers what OnHTTP does.
func (h *Host) HTTP(request plugin.HTTPRequest) (plugin.HTTPResponse, error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.Requests = append(h.Requests, request)
	response := h.OnHTTP(request)
	if request.ToFile != "" {
		err := os.WriteFile(request.ToFile, []byte(response.Body), 0o666)
		response.Body = ""
		return response, err
	}
	return response, nil
}

// Emit checks that the step declared it, and reads its file.
func (h *Host) Emit(emit plugin.Emit) (plugin.Artifact, error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	for _, output := range h.step.Makes {
		if output.Name != emit.Name {
			continue
		}
		content, err := os.ReadFile(emit.Path)
		if err != nil {
			return plugin.Artifact{}, err
		}
		detail, err := json.Marshal(emit.Detail)
		if err != nil {
			return plugin.Artifact{}, err
		}
		offer := plugin.Offer{Name: output.Name, Kind: output.Kind, Platform: output.Platform, Detail: detail}
		h.made = append(h.made, artifact(offer, emit.Path, content))
		return h.made[len(h.made)-1], nil
	}
	return plugin.Artifact{}, plugin.Fail(plugin.Bug, "the step makes `%s`, which it did not declare", emit.Name)
}

// Log writes the line down.
func (h *Host) Log(_ plugin.Level, message string) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.Logs = append(h.Logs, message)
}

// Progress does nothing.
func (h *Host) Progress(uint64, uint64, string) {}

// Cancelled is what Stop says.
func (h *Host) Cancelled() bool { return h.Stop }

// Remember keeps it in Notes.
func (h *Host) Remember(key string, value any) error {
	h.lock.Lock()
	defer h.lock.Unlock()
	text, err := json.Marshal(value)
	h.Notes[key] = text
	return err
}

// Secret is one of Secrets.
func (h *Host) Secret(name string) (string, error) {
	secret, found := h.Secrets[name]
	if !found {
		return "", plugin.Fail(plugin.Input, "the table does not reveal a secret `%s`", name)
	}
	return secret, nil
}

// Trace is Origin.
func (h *Host) Trace() (*plugin.TraceInfo, error) {
	if h.Origin == nil || h.step.Traced != plugin.TracedInputs {
		return nil, plugin.Fail(plugin.Bug, "the step has not said that it is to be told how what it takes came to be")
	}
	return h.Origin, nil
}

// Render renders {{ name }} of the names that it is given.
func (h *Host) Render(template string, names any) (string, error) {
	rendered, err := render(template, struct{}{}, names)
	if err != nil {
		return "", plugin.Fail(plugin.Input, "%s", err)
	}
	return rendered.Text, nil
}

// Recall finds it in Notes.
func (h *Host) Recall(key string, value any) (bool, error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	text, found := h.Notes[key]
	if !found {
		return false, nil
	}
	return true, json.Unmarshal(text, value)
}
