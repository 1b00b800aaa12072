package plugin

const (
	platformOS   = "macos"
	platformLibc = ""
)
