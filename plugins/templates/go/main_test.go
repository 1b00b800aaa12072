package main

import (
	"os"
	"strings"
	"testing"

	"forge.example/plugin/plugintest"
)

func TestList(t *testing.T) {
	host := plugintest.New(t).WithArtifact("hello", "binary", "linux/amd64", nil, "program")
	steps, err := plugintest.Plan(sample{}, `{"file":"list.txt"}`, host)
	if err != nil {
		t.Fatal(err)
	}
	made, err := plugintest.Run(sample{}, steps[0], host)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(made[0].Path)
	if err != nil || !strings.HasPrefix(string(text), "# 1.2.3\n") || !strings.HasSuffix(string(text), "  hello\n") {
		t.Errorf("%v %q", err, text)
	}
}

func TestPathIsNoName(t *testing.T) {
	if _, err := plugintest.Plan(sample{}, `{"file":"a/b"}`, plugintest.New(t)); err == nil || err.Error() != "`a/b` is a path" {
		t.Error(err)
	}
}
