// Acme-brew makes a Homebrew formula of the programs that other tables have built: a file to put into a tap.
package main

import (
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"forge.example/plugin"
)

// kind is that of a formula. Other tables take it by this name.
const kind = "acme-brew.formula"

type settings struct {
	IDs         []string        `json:"ids,omitempty" doc:"The tables whose programs it installs. Default: all."`
	URL         plugin.Template `json:"url" doc:"Where a program can be had; may name os, arch, variant, platform and ext."`
	Description string          `json:"description" doc:"One line, without the name of the project."`
	Homepage    string          `json:"homepage"`
	License     string          `json:"license,omitempty" doc:"An SPDX expression: Apache-2.0 OR MIT."`
}

// formula is what Plan knows of it: all but the digests.
type formula struct {
	Class, Version, Description, Homepage, License, Program string
	Downloads                                               []download
}

// A download is a program for one platform; in the order of Step.Takes.
type download struct{ OS, Arch, URL, SHA256 string }

// detail is what other pipes know of a formula.
type detail struct {
	Class   string `json:"class" doc:"The name of its class."`
	Version string `json:"version"`
}

// What Homebrew calls the machines that it knows.
var (
	systems = map[string]string{"darwin": "macos", "linux": "linux"}
	chips   = map[string]string{"amd64": "intel", "arm64": "arm"}
)

type brew struct{}

func (brew) About() plugin.About {
	return plugin.About{
		Name:    "acme_brew",
		Summary: "Makes a Homebrew formula",
		Makes:   []plugin.KindInfo{plugin.Kind[detail](kind)},
	}
}

func (brew) Takes(s settings) (plugin.Wants, error) {
	return plugin.Wants{Selectors: []plugin.Selector{{Kinds: []string{"binary"}, Tables: s.IDs, Key: "ids"}}}, nil
}

func (brew) Plan(s settings, given *plugin.Given) ([]plugin.Step, error) {
	made := formula{
		Class: class(given.Facts.Name), Version: given.Facts.Version, Description: s.Description,
		Homepage: s.Homepage, License: s.License,
	}
	var takes []string
	for _, offer := range given.Offers {
		names := plugin.PlatformNames(offer.Platform)
		system, chip := systems[names["os"]], chips[names["arch"]]
		if system == "" || chip == "" {
			continue // Homebrew runs there no more than it runs on Windows.
		}
		url, err := given.Render("url", s.URL, names)
		if err != nil {
			return nil, err
		}
		if made.Program == "" {
			binary, err := plugin.DetailOf[struct {
				FileName string `json:"file_name"`
			}](offer)
			if err != nil {
				return nil, err
			}
			made.Program = binary.FileName
		}
		takes = append(takes, offer.Name)
		made.Downloads = append(made.Downloads, download{OS: system, Arch: chip, URL: url})
	}
	if len(takes) == 0 {
		return nil, plugin.Problems{plugin.AtKey("ids", "none of these programs is for macOS or Linux on amd64 or arm64").
			WithHelp("Homebrew knows no other machines: add one of them to `platforms` of a build")}
	}
	name := "Formula/" + given.Facts.Name + ".rb"
	known := detail{Class: made.Class, Version: made.Version}
	return []plugin.Step{{
		Takes: takes, Params: made,
		Makes: []plugin.Output{{Name: name, Kind: kind, Detail: known}},
	}}, nil
}

func (brew) Run(made formula, step *plugin.Step, host plugin.Host) error {
	for i, input := range host.Inputs() {
		made.Downloads[i].SHA256 = strings.TrimPrefix(string(input.Digest), "sha256:")
	}
	path := filepath.Join(host.Dir(), "formula.rb")
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := text.Execute(file, made); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	_, err = host.Emit(plugin.Emit{Name: step.Makes[0].Name, Path: path, Detail: detail{made.Class, made.Version}})
	return err
}

// class is what Homebrew calls a formula: hello-world is HelloWorld.
func class(name string) string {
	class := ""
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("-_. ", r) }) {
		class += strings.ToUpper(word[:1]) + word[1:]
	}
	return class
}

// quoted is a string of Ruby in which nothing is interpolated.
func quoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

var text = template.Must(template.New("formula").Funcs(template.FuncMap{"q": quoted}).Parse(`class {{ .Class }} < Formula
  desc {{ q .Description }}
  homepage {{ q .Homepage }}
  version {{ q .Version }}
{{- with .License }}
  license {{ q . }}
{{- end }}
{{- range .Downloads }}

  on_{{ .OS }} do
    on_{{ .Arch }} do
      url {{ q .URL }}
      sha256 {{ q .SHA256 }}
    end
  end
{{- end }}

  def install
    bin.install Dir["*"].first => {{ q .Program }}
  end
end
`))

func init() {
	plugin.Export(plugin.Manifest+`"name":"acme-brew","version":"0.1.0","pipes":["acme_brew"]}`, plugin.Of(brew{}))
}

func main() {}
