package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// forkingAWS is the AWS CLI, loaded once: it forks for each request, whose body is what `env -0` prints, an empty entry, and
// the arguments. The answer is what the CLI prints, under 200 if it succeeds.
const forkingAWS = `
import http.server, os, socketserver, sys
import awscli.clidriver, awscli.handlers

data = os.environ["AWS_DATA_PATH"] # which the CLI sets as it is loaded

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        env, args = self.rfile.read(int(self.headers["Content-Length"])).split(b"\0\0", 1)
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            status = 255
            try:
                os.dup2(into, 1)
                os.environ.clear()
                os.environ.update(entry.split("=", 1) for entry in env.decode().split("\0"))
                os.environ["AWS_DATA_PATH"] = data
                os.chdir(os.environ["PWD"])
                status = awscli.clidriver.create_clidriver().main(args.decode().split("\0")[:-1])
                sys.stdout.flush()
            finally:
                os._exit(status)
        os.close(into)
        with os.fdopen(out, "rb") as pipe:
            body = pipe.read()
        ok = os.waitpid(child, 0)[1] == 0
        self.send_response(200 if ok else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

with socketserver.UnixStreamServer(sys.argv[1], Handler) as server:
    print("ready", flush=True)
    server.serve_forever()
`

// pathWithAWS is a PATH for commands that call aws many times.
func pathWithAWS(t *testing.T) string {
	t.Helper()
	path := "/usr/bin:" + os.Getenv("PATH")
	if aws := awsOnce(t); aws != "" {
		return aws + ":" + path
	}
	t.Log("the AWS CLI starts anew for each command")
	return path
}

// awsOnce returns a folder with a program aws, which is the AWS CLI of this machine but does not start anew each time: that
// takes longer than all it does. It returns "" where the CLI's modules are not those of the system's Python.
func awsOnce(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	socket := filepath.Join(folder, "aws.sock")
	server := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", forkingAWS, socket)
	server.Env = []string{"HOME=" + folder, "PATH=/usr/bin:/bin"}
	var problems bytes.Buffer
	server.Stderr = &problems
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		return ""
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() && problems.Len() > 0 {
			t.Logf("the AWS CLI says: %s", &problems)
		}
	})
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		return ""
	}
	script := "#!/bin/sh\n{ env -0; printf '\\0'; printf '%s\\0' \"$@\"; } | curl -sS --fail-with-body --unix-socket " + socket + " -H Expect: --data-binary @- http://aws/\n"
	if err := os.WriteFile(filepath.Join(folder, "aws"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}
