package plugin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Manifest is how the manifest of a plugin begins. What follows is its own, and must be a constant, because forge reads it
// in the file before it loads the file: name and version of the plugin, and the names of its pipes.
//
//	plugin.Manifest + `"name":"acme-upload","version":"0.1.0","pipes":["acme_upload"]}`
const Manifest = "FORGE-PLUGIN-MANIFEST-1\n" + `{"abi":"1.0","platform":"` + platform + `","runtime":"go","sdk":"go/0.1.0",`

// exported is what a plugin has exported.
type exported struct {
	manifest      string
	name, version string
	names         []string
	pipes         map[string]TypedPipe
}

var plugin exported

// Export makes these the pipes of the plugin. To be called once, while the program is initialized: in an init function of
// package main. It panics where manifest and pipes don't fit together; so does the first test that imports the package.
func Export(manifest string, pipes ...TypedPipe) {
	made, err := export(manifest, pipes)
	if err != nil {
		panic("plugin.Export: " + err.Error())
	}
	plugin = made
}

func export(manifest string, pipes []TypedPipe) (exported, error) {
	var of struct {
		Platform string   `json:"platform"`
		Name     string   `json:"name"`
		Version  string   `json:"version"`
		Pipes    []string `json:"pipes"`
	}
	// Manifest itself is not looked for: then it would stand in the file a second time.
	_, text, _ := strings.Cut(manifest, "\n")
	if err := json.Unmarshal([]byte(text), &of); err != nil {
		return exported{}, fmt.Errorf("the manifest is no JSON: %w", err)
	}
	if of.Platform != platform {
		return exported{}, fmt.Errorf("the manifest must begin with plugin.Manifest")
	}
	made := exported{manifest: manifest, name: of.Name, version: of.Version, pipes: map[string]TypedPipe{}}
	for _, pipe := range pipes {
		name := pipe.about().Name
		made.names = append(made.names, name)
		made.pipes[name] = pipe
	}
	if fmt.Sprint(made.names) != fmt.Sprint(of.Pipes) {
		return exported{}, fmt.Errorf("the manifest says pipes %q, and these are %q", of.Pipes, made.names)
	}
	return made, nil
}

type pipeInfo struct {
	Name     string     `json:"name"`
	Summary  string     `json:"summary"`
	Settings any        `json:"settings"`
	Makes    []KindInfo `json:"makes"`
}

type pluginInfo struct {
	Name    string     `json:"name"`
	Version string     `json:"version"`
	Needs   []string   `json:"needs,omitempty"`
	Pipes   []pipeInfo `json:"pipes"`
}

func (p *exported) describe() pluginInfo {
	info := pluginInfo{Name: p.name, Version: p.version, Pipes: []pipeInfo{}}
	for _, name := range p.names {
		about, pipe := p.pipes[name].about(), p.pipes[name]
		for _, need := range about.Needs {
			if !slices.Contains(info.Needs, need) {
				info.Needs = append(info.Needs, need)
			}
		}
		info.Pipes = append(info.Pipes, pipeInfo{name, about.Summary, pipe.settings(), listed(about.Makes)})
	}
	return info
}
