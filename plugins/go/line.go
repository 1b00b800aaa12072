package plugin

// #cgo CFLAGS: -fvisibility=hidden
// #include "line.h"
import "C"

import (
	"encoding/json"
	"sync"
	"unsafe"
)

var manifestOnce = sync.OnceValues(func() (unsafe.Pointer, C.size_t) {
	return C.CBytes([]byte(plugin.manifest)), C.size_t(len(plugin.manifest))
})

//export forgeGoManifest
func forgeGoManifest(bytes *unsafe.Pointer, length *C.size_t) {
	*bytes, *length = manifestOnce()
}

//export forgeGoCall
func forgeGoCall(cx C.forge_cx, method unsafe.Pointer, methodLen C.size_t, request unsafe.Pointer, requestLen C.size_t) C.forge_status {
	call := callInFlight{cx}
	reply, ended, failure := plugin.answer(call, string(bytesAt(method, methodLen)), bytesAt(request, requestLen))
	if failure == nil {
		C.forge_go_reply(cx, pointer(reply), C.size_t(len(reply)))
		return C.forge_status(ended)
	}
	said, err := json.Marshal(failure)
	if err != nil {
		said = []byte(failure.Message)
	}
	C.forge_go_set_error(cx, pointer(said), C.size_t(len(said)))
	return C.forge_status(ended)
}

// callInFlight is the host's side of a call, by its number.
type callInFlight struct{ cx C.forge_cx }

func (c callInFlight) ask(service string, request []byte) (status, []byte) {
	var response C.forge_str
	name := []byte(service)
	ended := C.forge_go_call(c.cx, pointer(name), C.size_t(len(name)), pointer(request), C.size_t(len(request)), &response)
	if status(ended) == stale || response.ptr == nil {
		return status(ended), nil
	}
	body := C.GoBytes(unsafe.Pointer(response.ptr), C.int(response.len))
	C.forge_go_release(c.cx, unsafe.Pointer(response.ptr))
	return status(ended), body
}

func (c callInFlight) log(level Level, message string) {
	bytes := []byte(message)
	C.forge_go_log(c.cx, C.uint32_t(level), pointer(bytes), C.size_t(len(bytes)))
}

func (c callInFlight) progress(done, total uint64, message string) {
	bytes := []byte(message)
	C.forge_go_progress(c.cx, C.uint64_t(done), C.uint64_t(total), pointer(bytes), C.size_t(len(bytes)))
}

func (c callInFlight) cancelled() bool { return C.forge_go_cancelled(c.cx) != 0 }

func bytesAt(at unsafe.Pointer, length C.size_t) []byte {
	return C.GoBytes(at, C.int(length))
}

// pointer is where the bytes lie; nil where there are none.
func pointer(bytes []byte) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(bytes))
}
