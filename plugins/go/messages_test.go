package plugin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// Every message that forge has a sample of says the same in Go: it is read, and written again.
func TestMessages(t *testing.T) {
	of := map[string]any{
		"artifact.emit.reply":   &Artifact{},
		"artifact.emit.request": &Emit{},
		"artifact.trace.reply":  &TraceInfo{},
		"describe.reply":        &pluginInfo{},
		"exec.reply":            &Exit{},
		"exec.request":          &Command{},
		"failure":               &Failure{},
		"http.send.reply":       &HTTPResponse{},
		"http.send.request":     &HTTPRequest{},
		"plan.reply":            &planReply{},
		"plan.request":          &planRequest{},
		"probe.reply":           &probeReply{},
		"probe.request":         &runMessage{},
		"run.request":           &runMessage{},
		"takes.reply":           &takesReply{},
	}
	// Nothing of these is kept, or they are written in place: plugin_test sees those.
	others := "artifact.trace.request describe.request note.get.reply note.get.request note.set.request secret.get.reply secret.get.request " +
		"takes.request template.render.reply template.render.request"
	files, err := filepath.Glob("../tests/messages/*.json")
	if err != nil || len(files) != len(of)+len(strings.Fields(others)) {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		message, found := of[name]
		if !found {
			if !strings.Contains(others, name) {
				t.Errorf("nobody reads %s", name)
			}
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, message); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		again, err := json.Marshal(message)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want, is := plain(t, text), plain(t, again); !reflect.DeepEqual(want, is) {
			t.Errorf("%s\n   is %v\n want %v", name, is, want)
		}
	}
}

// plain is a message without what Go does not tell from nothing, and what it need not know.
func plain(t *testing.T, text []byte) any {
	var message any
	if err := json.Unmarshal(text, &message); err != nil {
		t.Fatal(err)
	}
	return pruned(message)
}

func pruned(value any) any {
	switch value := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, member := range value {
			member = pruned(member)
			if of := reflect.ValueOf(member); !of.IsValid() || of.IsZero() {
				continue
			}
			if of := reflect.ValueOf(member); (of.Kind() == reflect.Map || of.Kind() == reflect.Slice) && of.Len() == 0 {
				continue
			}
			kept[name] = member
		}
		return kept
	case []any:
		for i := range value {
			value[i] = pruned(value[i])
		}
		return value
	default:
		return value
	}
}
