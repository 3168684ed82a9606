package load

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// scriptNames is how many requests a script makes beforehand.
const scriptNames = 100_000

// DeviceHost is what signed requests call the server, whichever it is: it is part of what is signed.
const DeviceHost = "devices.example.com"

// UpdateBody is what a device reports, as often as it likes.
const UpdateBody = `{"status":"IN_PROGRESS","statusDetails":{"step":"download"}}`

// ThingName is the i-th name of a group, as jobgate bench forms it.
func ThingName(group string, n, i int) string {
	return fmt.Sprintf("%s%0*d", group, len(strconv.Itoa(n-1)), i)
}

// DeviceScript is wrk's script for requests of random things, from a sequence that is the same in each turn. The
// requests are made beforehand.
func DeviceScript(group string, n int, path, method, body string) string {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString("local things = {")
	for range min(scriptNames, n) {
		fmt.Fprintf(&b, "%d,", random.IntN(n))
	}
	fmt.Fprintf(&b, `}
local requests, next = {}, 0
init = function()
  for i, thing in ipairs(things) do
    requests[i] = wrk.format(%q, string.format("/things/%s%%0%dd%s", thing), {["Content-Type"] = "application/json"}, %s)
  end
end
request = function()
  next = next %% #requests + 1
  return requests[next]
end
`, method, group, len(strconv.Itoa(n-1)), path, LuaString(body))
	return b.String()
}

// LuaString writes a string without line ends as Lua's source; "" is nil, no body.
func LuaString(s string) string {
	if s == "" {
		return "nil"
	}
	return "[[" + s + "]]"
}

// DeviceDocuments is wrk's script for a different device in each request: the requests are made
// beforehand, so that wrk does no more work than for a single one.
const DeviceDocuments = `
local requests, next = {}, 0
init = function()
  for i = 1, 10000 do requests[i] = wrk.format("GET", string.format("/things/thing-%06d/document", i)) end
end
request = function()
  next = next % 10000 + 1
  return requests[next]
end
`
