package plugin

const (
	platformOS   = "windows"
	platformLibc = ""
)
