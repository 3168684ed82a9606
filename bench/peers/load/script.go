package load

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// scriptNames is the maximum number of requests that a script builds beforehand.
const scriptNames = 100_000

// DeviceHost is the Host header of signed requests, for any server. It is part of the signature.
const DeviceHost = "devices.example.com"

// UpdateBody is the body of a device's update, which can be repeated any number of times.
const UpdateBody = `{"status":"IN_PROGRESS","statusDetails":{"step":"download"}}`

// ThingName returns the i-th thing's name in a group of n, as jobgate bench forms it.
func ThingName(group string, n, i int) string {
	return fmt.Sprintf("%s%0*d", group, len(strconv.Itoa(n-1)), i)
}

// DeviceScript returns wrk's script for requests of random things, in the same sequence in each turn. The requests are
// built beforehand.
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

// LuaString returns the Lua literal of a string without line breaks; for "" it is nil, for no body.
func LuaString(s string) string {
	if s == "" {
		return "nil"
	}
	return "[[" + s + "]]"
}

// DeviceDocuments is wrk's script for a different device in each request. The requests are built
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
