package plugin

import "encoding/json"

// runMessage is the request of run and probe.
type runMessage struct {
	Table TableName `json:"table"`
	Step  struct {
		Step
		Params json.RawMessage `json:"params"`
	} `json:"step"`
	Inputs []Artifact `json:"inputs"`
	Host   struct {
		Root string `json:"root"`
		Dir  string `json:"dir"`
	} `json:"host"`
	Found []Finding `json:"found"`
}

// runningHost is the host of a step, at the other end of a line.
type runningHost struct {
	line line
	of   runMessage
}

func running[Params any](method string, line line, request []byte) (*runningHost, Params, error) {
	var params Params
	host := &runningHost{line: line}
	if err := json.Unmarshal(request, &host.of); err != nil {
		return nil, params, notTheMessage(method, err)
	}
	raw := host.of.Step.Params
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &params); err != nil {
			return nil, params, Fail(Bug, "`Plan` and `Run` disagree about the parameters: %v", err)
		}
	}
	host.of.Step.Step.Params = raw
	return host, params, nil
}

// ask asks for a service, and takes its answer apart.
func ask(line line, service string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return Fail(Bug, "what is asked of `%s` is no message: %v", service, err)
	}
	ended, body := line.ask(service, body)
	if ended == stale {
		return Fail(Bug, "`%s` was asked for after the call was over", service)
	}
	if ended != ok {
		return answered(service, ended, body)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return Fail(Bug, "the answer of `%s` is not the message: %v", service, err)
	}
	return nil
}

func render(line line, template string, names any) (rendered Rendered, err error) {
	err = ask(line, "template.render", map[string]any{"template": template, "names": names}, &rendered)
	return
}

func (h *runningHost) Inputs() []Artifact { return h.of.Inputs }

func (h *runningHost) Found() []Finding { return h.of.Found }

func (h *runningHost) Root() string { return h.of.Host.Root }

func (h *runningHost) Dir() string { return h.of.Host.Dir }

func (h *runningHost) Exec(command Command) (exit Exit, err error) {
	err = ask(h.line, "exec", command, &exit)
	return
}

func (h *runningHost) HTTP(request HTTPRequest) (response HTTPResponse, err error) {
	err = ask(h.line, "http.send", request, &response)
	return
}

func (h *runningHost) Emit(emit Emit) (artifact Artifact, err error) {
	err = ask(h.line, "artifact.emit", emit, &artifact)
	return
}

func (h *runningHost) Log(level Level, message string) { h.line.log(level, message) }

func (h *runningHost) Progress(done, total uint64, message string) {
	h.line.progress(done, total, message)
}

func (h *runningHost) Cancelled() bool { return h.line.cancelled() }

func (h *runningHost) Remember(key string, value any) error {
	var answer json.RawMessage
	return ask(h.line, "note.set", map[string]any{"key": key, "value": value}, &answer)
}

func (h *runningHost) Secret(name string) (string, error) {
	var secret struct {
		Value string `json:"value"`
	}
	err := ask(h.line, "secret.get", map[string]any{"name": name}, &secret)
	return secret.Value, err
}

func (h *runningHost) Trace() (*TraceInfo, error) {
	var trace TraceInfo
	err := ask(h.line, "artifact.trace", map[string]any{}, &trace)
	return &trace, err
}

func (h *runningHost) Render(template string, names any) (string, error) {
	rendered, err := render(h.line, template, names)
	return rendered.Text, err
}

func (h *runningHost) Recall(key string, value any) (bool, error) {
	var note struct {
		Value json.RawMessage `json:"value"`
	}
	if err := ask(h.line, "note.get", map[string]any{"key": key}, &note); err != nil {
		return false, err
	}
	if len(note.Value) == 0 || string(note.Value) == "null" {
		return false, nil
	}
	if err := json.Unmarshal(note.Value, value); err != nil {
		return false, Fail(Bug, "what is remembered as `%s` is something else: %v", key, err)
	}
	return true, nil
}
