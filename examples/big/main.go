// Counts the words of files, or of the files at addresses.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

var version = "unknown"

func main() {
	if len(os.Args) < 2 {
		fmt.Println("big", version)
		return
	}
	for _, name := range os.Args[1:] {
		words, err := count(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "big:", err)
			os.Exit(1)
		}
		fmt.Println(words, name)
	}
}

func count(name string) (int, error) {
	input, err := open(name)
	if err != nil {
		return 0, err
	}
	defer input.Close()
	words := 0
	for scanner := bufio.NewScanner(input); scanner.Scan(); {
		words += len(strings.Fields(scanner.Text()))
	}
	return words, nil
}

func open(name string) (io.ReadCloser, error) {
	if !strings.HasPrefix(name, "https://") {
		return os.Open(name)
	}
	answer, err := http.Get(name)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}
