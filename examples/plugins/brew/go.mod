module acme.example/brew

go 1.22

require forge.example/plugin v0.1.0

// Forge's own, in this tree. Leave it out where the module is published.
replace forge.example/plugin => ../../../plugins/go
