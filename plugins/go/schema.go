package plugin

import (
	"encoding/json"
	"reflect"
	"strings"
)

// A Template is a setting that may name, beside the facts, the names of a platform: os, arch, variant, platform, ext. A
// plain string may name facts alone, and arrives resolved. Render it with Given.Render and PlatformNames.
type Template string

// PlatformNames are the names that a Template may use.
func PlatformNames(platform Platform) map[string]string {
	parts := append(strings.Split(string(platform), "/"), "", "")
	names := map[string]string{"os": parts[0], "arch": parts[1], "variant": parts[2], "platform": string(platform), "ext": ""}
	if parts[0] == "windows" {
		names["ext"] = ".exe"
	}
	return names
}

// A Schemer says its JSON Schema itself. A type that does not implement it is described by its fields.
type Schemer interface {
	JSONSchema() json.RawMessage
}

type object = map[string]any

// SchemaOf is the JSON Schema of a type, draft 2020-12. Of a struct each exported field is a property, named as
// encoding/json names it, and described by its tag doc. It is required unless it is a pointer or says omitempty; its tag
// enum lists the values there are, with commas between them. No other property is allowed.
func SchemaOf[T any]() any {
	return schemaOf(reflect.TypeFor[T]())
}

func schemaOf(of reflect.Type) any {
	if schemer, ok := reflect.Zero(of).Interface().(Schemer); ok {
		return schemer.JSONSchema()
	}
	if of == reflect.TypeFor[Template]() {
		return object{"type": "string", "x-forge-names": []string{"os", "arch", "variant", "platform", "ext"}}
	}
	if of == reflect.TypeFor[json.RawMessage]() {
		return object{}
	}
	switch of.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Pointer:
		return schemaOf(of.Elem())
	case reflect.Slice, reflect.Array:
		return object{"type": "array", "items": schemaOf(of.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(of.Elem())}
	case reflect.Struct:
		properties, required := object{}, []string{}
		fields(of, properties, &required)
		return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
	default:
		return object{}
	}
}

// fields adds those of a struct, and of the structs that it embeds.
func fields(of reflect.Type, properties object, required *[]string) {
	for i := 0; i < of.NumField(); i++ {
		field := of.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct {
			fields(field.Type, properties, required)
			continue
		}
		if !field.IsExported() || (name == "-" && options == "") {
			continue
		}
		if name == "" {
			name = field.Name
		}
		properties[name] = described(schemaOf(field.Type), field.Tag)
		if field.Type.Kind() != reflect.Pointer && !strings.Contains(options, "omitempty") {
			*required = append(*required, name)
		}
	}
}

// described is a schema with what the tags of its field say.
func described(schema any, tag reflect.StructTag) any {
	properties, ok := schema.(object)
	if !ok {
		return schema
	}
	if doc := tag.Get("doc"); doc != "" {
		properties["description"] = doc
	}
	if values := tag.Get("enum"); values != "" {
		properties["enum"] = strings.Split(values, ",")
	}
	return properties
}
