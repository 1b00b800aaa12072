module forge.example/plugin

go 1.22
