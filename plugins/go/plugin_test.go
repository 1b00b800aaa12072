package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

type settings struct {
	Text  Template          `json:"text" doc:"What to say."`
	Act   string            `json:"act,omitempty" enum:"work,fail,panic,lost"`
	Count *int              `json:"count"`
	Env   map[string]string `json:"env,omitempty"`
}

type params struct {
	Text string `json:"text"`
	Act  string `json:"act"`
}

// echo says what it is told, and uses every service on the way.
type echo struct{}

func (echo) About() About {
	return About{"acme_echo", "Says what it is told", []KindInfo{Kind[params]("acme.saying")}, []string{"exec", "note.set"}}
}

func (echo) Takes(s settings) (Wants, error) {
	if s.Text == "" {
		return Wants{}, Problems{AtKey("text", "there is nothing to say").WithHelp("write something")}
	}
	return Wants{Selectors: []Selector{{Kinds: []string{"binary"}}}}, nil
}

func (echo) Plan(s settings, given *Given) ([]Step, error) {
	steps := []Step{}
	for _, offer := range given.Offers {
		text, err := given.Render("text", s.Text, PlatformNames(offer.Platform))
		if err != nil {
			return nil, err
		}
		steps = append(steps, Step{
			Name: string(offer.Platform), Takes: []string{offer.Name}, Params: params{text, s.Act}, Resource: Network,
			Makes: []Output{{Name: "said", Kind: "acme.saying"}},
		})
	}
	return steps, nil
}

func (echo) Run(p params, step *Step, host Host) error {
	switch p.Act {
	case "fail":
		return fmt.Errorf("can't speak: %w", &Failure{Class: Refused, Message: "no right to", Causes: []string{"it is late"}, Help: "whisper"})
	case "panic":
		var nothing map[string]int
		nothing[p.Text] = 1
	case "lost":
		return errors.New("out of paper")
	}
	exit, err := host.Exec(Command{Argv: []string{"say", p.Text}})
	if err != nil {
		return err
	}
	response, err := host.HTTP(HTTPRequest{Method: "PUT", URL: "https://example.org", Body: Body{Text: p.Text}})
	if err != nil {
		return err
	}
	var before string
	found, err := host.Recall("said", &before)
	if err != nil {
		return err
	}
	if err := host.Remember("said", p.Text); err != nil {
		return err
	}
	host.Progress(1, 2, "half")
	host.Log(Info, fmt.Sprintln(exit.Success(), response.Status, found, before, len(host.Inputs()), host.Cancelled(), host.Dir()))
	_, err = host.Emit(Emit{Name: step.Makes[0].Name, Path: host.Dir() + "/said", Detail: p})
	return err
}

func (echo) Probe(p params, _ *Step, host Host) ([]Finding, error) {
	return []Finding{{Place: p.Text, Change: Change{Is: ChangeNew}}}, nil
}

// fakeLine answers services as a table says, and writes down what it was asked.
type fakeLine struct {
	answers map[string]string
	said    []string
}

func (f *fakeLine) ask(service string, request []byte) (status, []byte) {
	f.said = append(f.said, service+" "+string(request))
	if answer, found := f.answers[service]; found {
		return ok, []byte(answer)
	}
	return unimplemented, []byte(`{"class":"bug","message":"there is no such service"}`)
}
func (f *fakeLine) log(_ Level, message string) { f.said = append(f.said, "log "+message) }
func (f *fakeLine) progress(done, total uint64, text string) {
	f.said = append(f.said, "progress "+text)
}
func (f *fakeLine) cancelled() bool { return false }

var tested = func() exported {
	made, err := export(Manifest+`"name":"acme","version":"1.0.0","pipes":["acme_echo"]}`, []TypedPipe{Of(echo{})})
	if err != nil {
		panic(err)
	}
	return made
}()

// check sends a message, and compares its answer, or status and failure.
func check(t *testing.T, line *fakeLine, method, request, expect string) {
	t.Helper()
	reply, ended, failure := tested.answer(line, method, []byte(request))
	actual := string(reply)
	if failure != nil {
		said, _ := json.Marshal(failure)
		actual = fmt.Sprint(ended, " ", string(said))
	}
	if actual != expect {
		t.Errorf("%s\n   is %s\n want %s", method, actual, expect)
	}
}

func TestDescribe(t *testing.T) {
	check(t, nil, "describe", "{}", `{"name":"acme","version":"1.0.0","needs":["exec","note.set"],"pipes":[{"name":"acme_echo","summary":"Says what it is told",`+
		`"settings":{"additionalProperties":false,"properties":{"act":{"enum":["work","fail","panic","lost"],"type":"string"},`+
		`"count":{"type":"integer"},"env":{"additionalProperties":{"type":"string"},"type":"object"},`+
		`"text":{"description":"What to say.","type":"string","x-forge-names":["os","arch","variant","platform","ext"]}},`+
		`"required":["text"],"type":"object"},"makes":[{"name":"acme.saying","detail":{"additionalProperties":false,`+
		`"properties":{"act":{"type":"string"},"text":{"type":"string"}},"required":["text","act"],"type":"object"}}]}]}`)
}

const table = `"table":{"pipe":"acme_echo","id":"a"}`

func TestTakes(t *testing.T) {
	check(t, nil, "takes", `{`+table+`,"settings":{"text":"x"},"more":1}`,
		`{"selectors":[{"kinds":["binary"]}],"sources":[],"problems":[]}`)
	check(t, nil, "takes", `{`+table+`,"settings":{"text":""}}`, `{"selectors":[],"sources":[],"problems":[{"place":{"key":"text"},`+
		`"message":"there is nothing to say","help":"write something"}]}`)
}

func TestSettingsOfAnotherForm(t *testing.T) {
	problem := `"problems":[{"place":{"key":""},"message":"json: cannot unmarshal array into Go value of type plugin.settings"}]}`
	check(t, nil, "takes", `{`+table+`,"settings":[]}`, `{"selectors":[],"sources":[],`+problem)
	check(t, nil, "plan", `{`+table+`,"settings":[]}`, `{"steps":[],`+problem)
}

func TestPlan(t *testing.T) {
	request := `{` + table + `,"settings":{"text":"{{ arch }}"},"facts":{"version":"1.0.0"},"offers":[{"name":"hello","kind":"binary",` +
		`"platform":"linux/arm64","table":{"pipe":"build","id":"a"},"detail":null}]}`
	line := &fakeLine{answers: map[string]string{"template.render": `{"text":"arm64"}`}}
	check(t, line, "plan", request, `{"steps":[{"name":"linux/arm64","takes":["hello"],"makes":[{"name":"said","kind":"acme.saying"}],`+
		`"resource":"network","params":{"text":"arm64","act":""}}],"problems":[]}`)
	if want := `template.render {"names":{"arch":"arm64","ext":"","os":"linux","platform":"linux/arm64","variant":""},"template":"{{ arch }}"}`; line.said[0] != want {
		t.Errorf("asked %s", line.said[0])
	}
	check(t, &fakeLine{}, "plan", request, `{"steps":[],"problems":[{"place":{"key":"text"},"message":"there is no such service"}]}`)
}

func TestLater(t *testing.T) {
	line := &fakeLine{answers: map[string]string{"template.render": `{"text":"1.2 sha256:0","names":{"version":"1.2","env":{"A":"a"}}}`}}
	given := Given{Renderer: func(template string, names any) (Rendered, error) { return render(line, template, names) }}
	later, err := given.Later("text", "{{ version }} {{ digest }}{{ env.A }}", map[string]string{"digest": "sha256:0"})
	if err != nil {
		t.Fatal(err)
	}
	kept, _ := json.Marshal(later)
	if want := `{"template":"{{ version }} {{ digest }}{{ env.A }}","facts":{"env":{"A":"a"},"version":"1.2"}}`; string(kept) != want {
		t.Errorf("kept %s", kept)
	}
	if _, err := later.Render(&runningHost{line: line}, map[string]string{"digest": "sha256:1"}); err != nil {
		t.Error(err)
	}
	want := `template.render {"names":{"digest":"sha256:1","env":{"A":"a"},"version":"1.2"},"template":"{{ version }} {{ digest }}{{ env.A }}"}`
	if line.said[1] != want {
		t.Errorf("asked %s", line.said[1])
	}
	_, err = given.Later("text", "{{ version }}", func() {})
	var problems Problems
	if !errors.As(err, &problems) || problems[0].Place.Key != "text" {
		t.Error(err)
	}
}

func run(act string) string {
	return `{` + table + `,"step":{"params":{"text":"hi","act":"` + act + `"},"makes":[{"name":"said","kind":"acme.saying"}]},` +
		`"inputs":[{"name":"hello","kind":"binary","table":{"pipe":"build","id":"a"},"digest":"sha256:00","size":3,"path":"/x"}],` +
		`"host":{"root":"/r","dir":"/d"}}`
}

func TestRun(t *testing.T) {
	line := &fakeLine{answers: map[string]string{
		"exec": `{"code":0}`, "http.send": `{"status":204}`, "note.get": `{"key":"said","value":"ho"}`, "note.set": `{}`,
		"artifact.emit": `{"name":"said","kind":"acme.saying","digest":"sha256:11","size":1,"path":"/s","later":true}`,
	}}
	check(t, line, "run", run("work"), `{}`)
	want := []string{
		`exec {"argv":["say","hi"]}`,
		`http.send {"method":"PUT","url":"https://example.org","body":{"text":"hi"}}`,
		`note.get {"key":"said"}`,
		`note.set {"key":"said","value":"hi"}`,
		`progress half`,
		"log true 204 true ho 1 false /d\n",
		`artifact.emit {"name":"said","path":"/d/said","detail":{"text":"hi","act":"work"}}`,
	}
	if strings.Join(line.said, "\n") != strings.Join(want, "\n") {
		t.Errorf("said\n%s", strings.Join(line.said, "\n"))
	}
	check(t, line, "probe", run("work"), `{"found":[{"place":"hi","change":{"is":"new"}}]}`)
}

func TestFailures(t *testing.T) {
	check(t, &fakeLine{}, "run", run("work"), `1 {"class":"bug","message":"there is no such service"}`)
	check(t, nil, "run", run("fail"), `1 {"class":"refused","message":"can't speak: no right to","causes":["it is late"],"help":"whisper"}`)
	check(t, nil, "run", run("lost"), `1 {"class":"tool","message":"out of paper"}`)
	check(t, nil, "run", `{`+table+`,"step":{"params":3}}`,
		`1 {"class":"bug","message":"`+"`Plan` and `Run`"+` disagree about the parameters: json: cannot unmarshal number into Go value of type plugin.params"}`)
	check(t, nil, "run", `{`, `7 {"class":"bug","message":"the request of `+"`run`"+` is not the message: unexpected end of JSON input"}`)
	check(t, nil, "run", `{"table":{"pipe":"other"}}`, `4 {"class":"bug","message":"the plugin has no pipe `+"`other`"+`"}`)
	check(t, nil, "dance", `{`+table+`}`, `4 {"class":"bug","message":"the plugin has no method `+"`dance`"+`"}`)
}

func TestPanic(t *testing.T) {
	_, ended, failure := tested.answer(nil, "run", []byte(run("panic")))
	if ended != panicked || failure.Message != "panicked: assignment to entry in nil map" {
		t.Error(ended, failure)
	}
	if len(failure.Causes) != 1 || !strings.Contains(failure.Causes[0], "plugin_test.go:") {
		t.Errorf("at %q", failure.Causes)
	}
}

func TestExportRefuses(t *testing.T) {
	for manifest, expect := range map[string]string{
		"\n" + `{"name":"x"}`:                  "the manifest must begin with plugin.Manifest",
		Manifest + `"name":`:                   "the manifest is no JSON: unexpected end of JSON input",
		Manifest + `"name":"x","pipes":["y"]}`: `the manifest says pipes ["y"], and these are ["acme_echo"]`,
	} {
		if _, err := export(manifest, []TypedPipe{Of(echo{})}); err == nil || err.Error() != expect {
			t.Errorf("%s: %v", manifest, err)
		}
	}
}

type own struct{}

func (own) JSONSchema() json.RawMessage { return json.RawMessage(`{"type":"null"}`) }

type embedded struct {
	settings
	Own   own      `json:"own"`
	Words []string `json:"words"`
	size  int
	Skip  bool `json:"-"`
}

func TestSchema(t *testing.T) {
	schema, err := json.Marshal(SchemaOf[*embedded]())
	want := `"own":{"type":"null"}`
	if err != nil || !strings.Contains(string(schema), want) || !strings.Contains(string(schema), `"required":["text","own","words"]`) {
		t.Error(string(schema), err)
	}
	if strings.Contains(string(schema), "size") || strings.Contains(string(schema), "Skip") {
		t.Error(string(schema), embedded{}.size)
	}
}
