module forge.example/evil

go 1.22

require forge.example/plugin v0.1.0

replace forge.example/plugin => ../../../../plugins/go
