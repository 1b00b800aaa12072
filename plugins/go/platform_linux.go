package plugin

const (
	platformOS   = "linux"
	platformLibc = "-gnu"
)
