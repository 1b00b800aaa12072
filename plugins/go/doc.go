// Package plugin is for plugins of forge that are written in Go.
//
// A plugin is a main package that is built with -buildmode=c-shared. It carries one or more pipes: each is the code for
// one kind of table in forge.toml, and a type that implements [Pipe]:
//
//	type Settings struct {
//		URL string `json:"url" doc:"Where to put it."`
//	}
//	type Params struct{ URL string }
//	type upload struct{}
//
//	func (upload) About() plugin.About                                   // its name, and the kinds it makes
//	func (upload) Takes(s Settings) (plugin.Wants, error)                // which artifacts a table wants; pure
//	func (upload) Plan(s Settings, g *plugin.Given) ([]plugin.Step, error) // what is to be done; pure
//	func (upload) Run(p Params, step *plugin.Step, h plugin.Host) error  // does one step, through the host
//
//	func init() {
//		plugin.Export(plugin.Manifest+`"name":"acme-upload","version":"0.1.0","pipes":["acme_upload"]}`,
//			plugin.Of(upload{}))
//	}
//
//	func main() {}
//
// Settings are typed: their JSON Schema is made of the type (see [SchemaOf]), forge checks tables against it and says
// what is wrong at its line and column, and the pipe gets them decoded, templates of facts resolved. Params is whatever Plan
// wants to tell Run: Step.Params, as JSON.
//
// An error of Takes or Plan is a mistake of the user: return [Problems] to say at which key. An error of Run fails the
// task: a [*Failure] says what sort of failure it is and what to do; any other error is one of class tool. A panic fails the
// call and is told as a bug of the plugin, with its place; only a panic in a goroutine that the pipe has started ends the
// process, as in every Go program.
//
// Forge calls from several threads at once. A [Host] may be used by any goroutine until Run returns, and not after that.
// The package plugintest has a host for tests.
package plugin
