package main

import (
	"errors"
	"os"
	"strings"
	"testing"

	"forge.example/plugin"
	"forge.example/plugin/plugintest"
)

const table = `{"url":"https://dl.example.org/{{ version }}/{{ os }}-{{ arch }}","description":"Says 'hello'","homepage":"https://example.org"}`

func host(t *testing.T, platforms ...plugin.Platform) *plugintest.Host {
	host := plugintest.New(t)
	for _, platform := range platforms {
		host.WithArtifact("hello/"+string(platform), "binary", platform, map[string]string{"file_name": "hello"}, "program")
	}
	return host
}

func TestFormula(t *testing.T) {
	host := host(t, "linux/amd64", "darwin/arm64", "windows/amd64")
	steps, err := plugintest.Plan(brew{}, table, host)
	if err != nil {
		t.Fatal(err)
	}
	made, err := plugintest.Run(brew{}, steps[0], host)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(made[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"class Hello < Formula\n", `desc 'Says \'hello\''`, "version '1.2.3'\n", "on_macos do\n    on_arm do\n      url 'https://dl.example.org/1.2.3/darwin-arm64'",
		"sha256 '" + strings.TrimPrefix(string(host.Artifacts[0].Digest), "sha256:") + "'", "first => 'hello'\n",
	} {
		if !strings.Contains(string(text), line) {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
	if strings.Contains(string(text), "windows") {
		t.Errorf("Homebrew does not run on Windows:\n%s", text)
	}
}

func TestNothingToInstall(t *testing.T) {
	_, err := plugintest.Plan(brew{}, table, host(t, "windows/amd64", "linux/arm/v7"))
	var problems plugin.Problems
	if !errors.As(err, &problems) || problems[0].Place.Key != "ids" {
		t.Error(err)
	}
}
