package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// A status is how a call or a service ended: FORGE_OK and so on of forge_plugin.h.
type status int32

const (
	ok status = iota
	failed
	invalid
	cancelled
	unimplemented
	unavailable
	panicked
	protocol
	incompatible
	stale
)

// A line is the host's side of one call in flight.
type line interface {
	ask(service string, request []byte) (status, []byte)
	log(level Level, message string)
	progress(done, total uint64, message string)
	cancelled() bool
}

// A refusal is a failure as it crosses the line.
type refusal struct {
	status  status
	failure *Failure
}

func (r *refusal) Error() string { return r.failure.Message }

// answer answers one message: its reply, or a status and what there is to say about it.
func (p *exported) answer(line line, method string, request []byte) (reply []byte, ended status, failure *Failure) {
	defer func() {
		if value := recover(); value != nil {
			failure = Fail(Bug, "panicked: %v", value)
			if place := panicPlace(); place != "" {
				failure.Causes = []string{"at " + place}
			}
			reply, ended = nil, panicked
		}
	}()
	message, err := p.dispatch(line, method, request)
	if err == nil {
		reply, err = json.Marshal(message)
	}
	if err != nil {
		ended, failure = refused(err)
		return nil, ended, failure
	}
	return reply, ok, nil
}

func (p *exported) dispatch(line line, method string, request []byte) (any, error) {
	if method == "describe" {
		return p.describe(), nil
	}
	var of struct {
		Table TableName `json:"table"`
	}
	if err := json.Unmarshal(request, &of); err != nil {
		return nil, notTheMessage(method, err)
	}
	pipe, found := p.pipes[of.Table.Pipe]
	if !found {
		return nil, unknown("pipe", of.Table.Pipe)
	}
	switch method {
	case "takes":
		return pipe.takes(request)
	case "plan":
		return pipe.plan(line, request)
	case "run":
		return struct{}{}, pipe.run(line, request)
	case "probe":
		return pipe.probe(line, request)
	default:
		return nil, unknown("method", method)
	}
}

func unknown(what, name string) error {
	return &refusal{unimplemented, Fail(Bug, "the plugin has no %s `%s`", what, name)}
}

func notTheMessage(method string, err error) error {
	return &refusal{protocol, Fail(Bug, "the request of `%s` is not the message: %v", method, err)}
}

// refused is what an error of a pipe means on the line.
func refused(err error) (status, *Failure) {
	var known *refusal
	if errors.As(err, &known) {
		return known.status, known.failure
	}
	var failure *Failure
	if !errors.As(err, &failure) {
		return failed, Fail(Tooling, "%s", err)
	}
	if error(failure) != err {
		// It was wrapped: what was said around it comes first.
		wrapped := *failure
		wrapped.Message = err.Error()
		failure = &wrapped
	}
	switch failure.Class {
	case Input:
		return invalid, failure
	case Cancelled:
		return cancelled, failure
	case Transient:
		return unavailable, failure
	default:
		return failed, failure
	}
}

// answered is a failure that a service has answered: JSON, or plain text.
func answered(service string, ended status, body []byte) *Failure {
	failure := new(Failure)
	if json.Unmarshal(body, failure) != nil || failure.Message == "" {
		failure = Fail(Tooling, "%s", body)
		if len(body) == 0 {
			failure = Fail(Bug, "`%s` returned status %d and no message", service, ended)
		}
	}
	switch ended {
	case invalid:
		failure.Class = Input
	case cancelled:
		failure.Class = Cancelled
	case unavailable:
		failure.Class = Transient
	case unimplemented, panicked, protocol, stale:
		failure.Class = Bug
	}
	return failure
}

// panicPlace is where the panic that is being recovered has begun: the first place that is not of the runtime.
func panicPlace() string {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	begun := false
	for {
		frame, more := frames.Next()
		of := strings.HasPrefix(frame.Function, "runtime.")
		if begun && !of {
			return fmt.Sprintf("%s:%d", frame.File, frame.Line)
		}
		begun = begun || of
		if !more {
			return ""
		}
	}
}
