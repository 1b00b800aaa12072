module acme.example/acme-sample

go 1.22

require forge.example/plugin v0.1.0

// A copy that was written with this project: forge's module for plugins in Go.
replace forge.example/plugin => ./forge
