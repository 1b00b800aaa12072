package plugin

import (
	"encoding/json"
	"errors"
)

// A TypedPipe is a pipe whose types are gone: what Export takes.
type TypedPipe struct {
	about    func() About
	settings func() any
	takes    func(request []byte) (any, error)
	plan     func(line line, request []byte) (any, error)
	run      func(line line, request []byte) error
	probe    func(line line, request []byte) (any, error)
}

// Of makes a pipe ready for Export.
func Of[Settings, Params any](pipe Pipe[Settings, Params]) TypedPipe {
	typed := TypedPipe{
		about:    pipe.About,
		settings: SchemaOf[Settings],
		takes:    func(request []byte) (any, error) { return takes(pipe, request) },
		plan:     func(line line, request []byte) (any, error) { return plan(pipe, line, request) },
		run: func(line line, request []byte) error {
			host, params, err := running[Params]("run", line, request)
			if err != nil {
				return err
			}
			return pipe.Run(params, &host.of.Step.Step, host)
		},
		probe: func(line, []byte) (any, error) { return nil, unknown("method", "probe") },
	}
	if prober, ok := pipe.(Prober[Params]); ok {
		typed.probe = func(line line, request []byte) (any, error) {
			host, params, err := running[Params]("probe", line, request)
			if err != nil {
				return nil, err
			}
			found, err := prober.Probe(params, &host.of.Step.Step, host)
			return probeReply{listed(found)}, err
		}
	}
	return typed
}

type takesReply struct {
	Selectors []Selector `json:"selectors"`
	Sources   []Source   `json:"sources"`
	Makes     []string   `json:"makes,omitempty"`
	Problems  []Problem  `json:"problems"`
}

func takes[Settings, Params any](pipe Pipe[Settings, Params], request []byte) (any, error) {
	var of struct {
		Settings json.RawMessage `json:"settings"`
	}
	if err := json.Unmarshal(request, &of); err != nil {
		return nil, notTheMessage("takes", err)
	}
	var settings Settings
	var wants Wants
	err := decode(of.Settings, &settings)
	if err == nil {
		wants, err = pipe.Takes(settings)
	}
	problems, err := problemsOf(err)
	return takesReply{listed(wants.Selectors), listed(wants.Sources), wants.Makes, problems}, err
}

type planRequest struct {
	Table    TableName       `json:"table"`
	Settings json.RawMessage `json:"settings"`
	Facts    Facts           `json:"facts"`
	Offers   []Offer         `json:"offers"`
	Sources  []Source        `json:"sources"`
}

type planReply struct {
	Steps    []Step    `json:"steps"`
	Problems []Problem `json:"problems"`
}

func plan[Settings, Params any](pipe Pipe[Settings, Params], line line, request []byte) (any, error) {
	var of planRequest
	if err := json.Unmarshal(request, &of); err != nil {
		return nil, notTheMessage("plan", err)
	}
	render := func(template string, names any) (Rendered, error) { return render(line, template, names) }
	given := Given{Table: of.Table, Facts: of.Facts, Offers: of.Offers, Sources: of.Sources, Renderer: render}
	var settings Settings
	var steps []Step
	err := decode(of.Settings, &settings)
	if err == nil {
		steps, err = pipe.Plan(settings, &given)
	}
	problems, err := problemsOf(err)
	return planReply{listed(steps), problems}, err
}

type probeReply struct {
	Found []Finding `json:"found"`
}

// decode reads the settings of a table. Forge has checked them against the schema, so what is wrong here is wrong in few ways.
func decode(settings json.RawMessage, into any) error {
	if len(settings) == 0 {
		return nil
	}
	if err := json.Unmarshal(settings, into); err != nil {
		return Problems{AtKey("", "%s", err)}
	}
	return nil
}

// problemsOf takes the mistakes of the user out of an error. Another error but a failure is a mistake of the whole table.
func problemsOf(err error) ([]Problem, error) {
	var problems Problems
	var failure *Failure
	switch {
	case err == nil:
		return []Problem{}, nil
	case errors.As(err, &problems):
		return problems, nil
	case errors.As(err, &failure):
		return nil, err
	default:
		return []Problem{AtKey("", "%s", err)}, nil
	}
}

// listed is the same with an empty list for none, which JSON tells apart.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
