package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// forkingAWS is an HTTP server that loads the AWS CLI once and forks for each request. The request's body is the output of
// `env -0`, an empty entry, and the arguments. The response is the CLI's output, with status 200 if it succeeds, else 500.
const forkingAWS = `
import http.server, os, socketserver, sys
import awscli.clidriver, awscli.handlers

data = os.environ["AWS_DATA_PATH"] # set when the CLI is loaded

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

// pathWithAWS returns a PATH for scripts that call aws many times.
func pathWithAWS(t *testing.T) string {
	t.Helper()
	path := "/usr/bin:" + os.Getenv("PATH")
	if aws := folderWithAWS(t); aws != "" {
		return aws + ":" + path
	}
	t.Log("each aws command starts a new AWS CLI process")
	return path
}

// folderWithAWS returns a folder with a program named aws. It runs this machine's AWS CLI by forkingAWS, because starting the CLI
// is slower than its work. folderWithAWS returns "" if the system's Python cannot import the CLI.
func folderWithAWS(t *testing.T) string {
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
			t.Logf("the AWS CLI's error output: %s", &problems)
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
