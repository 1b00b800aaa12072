// Acme-sample lists the digests of what other tables have made, as sha256sum does.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"forge.example/plugin"
)

// kind is that of a list. Other tables take it by this name.
const kind = "acme-sample.list"

type settings struct {
	File  string   `json:"file" doc:"What the list is called."`
	Kinds []string `json:"kinds,omitempty" doc:"Which kinds to list. Default: programs."`
}

// params is what Plan tells Run.
type params struct {
	Version string `json:"version"`
}

// detail is what is known of a list.
type detail struct{}

type sample struct{}

func (sample) About() plugin.About {
	return plugin.About{
		Name:    "acme_sample",
		Summary: "Lists the digests of what was made",
		Makes:   []plugin.KindInfo{plugin.Kind[detail](kind)},
	}
}

func (sample) Takes(s settings) (plugin.Wants, error) {
	if strings.Contains(s.File, "/") {
		return plugin.Wants{}, plugin.Problems{
			plugin.AtKey("file", "`%s` is a path", s.File).WithHelp("write a name: it lies in `dist/`"),
		}
	}
	kinds := s.Kinds
	if len(kinds) == 0 {
		kinds = []string{"binary"}
	}
	return plugin.Wants{Selectors: []plugin.Selector{{Kinds: kinds, Key: "kinds"}}}, nil
}

func (sample) Plan(s settings, given *plugin.Given) ([]plugin.Step, error) {
	step := plugin.Step{
		Makes:  []plugin.Output{{Name: s.File, Kind: kind, Detail: detail{}}},
		Params: params{given.Facts.Version},
	}
	for _, offer := range given.Offers {
		step.Takes = append(step.Takes, offer.Name)
	}
	return []plugin.Step{step}, nil
}

func (sample) Run(p params, step *plugin.Step, host plugin.Host) error {
	text := fmt.Sprintf("# %s\n", p.Version)
	for _, input := range host.Inputs() {
		text += fmt.Sprintf("%s  %s\n", strings.TrimPrefix(string(input.Digest), "sha256:"), input.Name)
	}
	path := filepath.Join(host.Dir(), "list")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		return err
	}
	_, err := host.Emit(plugin.Emit{Name: step.Makes[0].Name, Path: path, Detail: detail{}})
	return err
}

func init() {
	plugin.Export(plugin.Manifest+`"name":"acme-sample","version":"0.1.0","pipes":["acme_sample"]}`,
		plugin.Of(sample{}))
}

func main() {}
