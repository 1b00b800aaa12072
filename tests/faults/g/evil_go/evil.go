// The evil plugin in Go: what only its runtime can do to a process. Each step makes one file and answers; what happens
// besides is the mode.
package main

import (
	"os"
	"path/filepath"
	"sync"
	"time"

	"forge.example/plugin"
)

type settings struct {
	Mode string `json:"mode"`
}

type detail struct{}

type evil struct{}

func (evil) About() plugin.About {
	return plugin.About{Name: "evil", Summary: "Misbehaves in Go", Makes: []plugin.KindInfo{plugin.Kind[detail]("evil.file")}}
}

func (evil) Takes(settings) (plugin.Wants, error) { return plugin.Wants{}, nil }

func (evil) Plan(s settings, _ *plugin.Given) ([]plugin.Step, error) {
	return []plugin.Step{{Makes: []plugin.Output{{Name: "made-by-" + s.Mode, Kind: "evil.file"}}, Params: s}}, nil
}

func (evil) Run(s settings, step *plugin.Step, host plugin.Host) error {
	switch s.Mode {
	case "panic":
		panic("no more")
	case "nil":
		var nothing *settings
		return plugin.Fail(plugin.Tooling, "%s", nothing.Mode)
	case "goroutine":
		go panic("in a goroutine")
		time.Sleep(time.Hour)
	case "throw":
		new(sync.Mutex).Unlock()
	case "exit":
		os.Exit(0)
	case "hangs":
		host.Log(plugin.Warn, "hanging")
		for !host.Cancelled() {
			time.Sleep(time.Millisecond)
		}
		return plugin.Fail(plugin.Cancelled, "it was asked to stop")
	case "program":
		exit, err := host.Exec(plugin.Command{Argv: []string{"sh", "-c", "exit 7"}})
		if err != nil || exit.Code == nil || *exit.Code != 7 {
			return plugin.Fail(plugin.Bug, "a program that ends with 7 has ended with %v: %v", exit, err)
		}
	case "broken_pipe":
		reader, writer, err := os.Pipe()
		if err != nil {
			return err
		}
		reader.Close()
		if _, err := writer.Write([]byte("to nobody")); err == nil {
			return plugin.Fail(plugin.Bug, "somebody has read it")
		}
	}
	path := filepath.Join(host.Dir(), "made")
	if err := os.WriteFile(path, []byte("made\n"), 0o644); err != nil {
		return err
	}
	_, err := host.Emit(plugin.Emit{Name: step.Makes[0].Name, Path: path, Detail: detail{}})
	return err
}

func init() {
	plugin.Export(plugin.Manifest+`"name":"evil","version":"1.0.0","pipes":["evil"]}`, plugin.Of(evil{}))
}

func main() {}
