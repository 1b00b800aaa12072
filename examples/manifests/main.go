// Says its version, and for which platform it was compiled.
package main

import (
	"fmt"
	"runtime"
)

var version = "none"

func main() {
	fmt.Printf("hello %s %s/%s\n", version, runtime.GOOS, runtime.GOARCH)
}
