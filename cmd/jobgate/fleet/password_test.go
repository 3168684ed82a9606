package fleet_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestPassword runs a gateway with the database's password from a file, while the database is up and down. The password must
// not be in the effective configuration, the log, an answer, or the process's arguments or environment.
func TestPassword(t *testing.T) {
	const password = "a-password-that-nobody-may-see"
	server, direct := startServer(t)
	admin, err := pgx.Connect(t.Context(), direct)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), "CREATE ROLE guarded SUPERUSER LOGIN PASSWORD '"+password+"'"); err != nil {
		t.Fatal(err)
	}
	hba := filepath.Join(server.Folder, "pg_hba.conf")
	text, err := os.ReadFile(hba)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hba, append([]byte("host all guarded 127.0.0.1/32 scram-sha-256\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), "SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	_ = admin.Close(context.Background())
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFleet(t, 1, strings.Replace(direct, "postgres@", "guarded@", 1), direct, "store_password_file: "+file)
	g := f.gateways[0]
	listen, admins := g.at("listen"), g.at("admin")
	if status, body, _ := get("http://" + listen + "/things/nobody/jobs/$next"); status != 404 {
		t.Fatalf("with the password: %d %s", status, body)
	}
	shown := map[string]string{}
	read := func(when string) {
		for _, url := range []string{"http://" + admins + "/config", "http://" + admins + "/readyz", "http://" + admins + "/metrics", "http://" + listen + "/things/nobody/jobs/$next"} {
			_, shown[url+when], _ = get(url)
		}
	}
	read("")
	for _, name := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(g.process().Cmd.Process.Pid), name))
		if err != nil {
			t.Fatal(err)
		}
		shown[name] = string(text)
	}
	server.Stop(syscall.SIGQUIT)
	for deadline := time.Now().Add(grace); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if status, _, _ := get("http://" + listen + "/things/nobody/jobs/$next"); status == 503 {
			break
		}
	}
	read(", without the database")
	shown["the log"] = g.log()
	if !strings.Contains(shown["http://"+admins+"/config"], file) {
		t.Errorf("/config does not have the path of the password file:\n%s", shown["http://"+admins+"/config"])
	}
	for where, text := range shown {
		if text == "" || strings.Contains(text, password) {
			t.Errorf("%s is empty, or contains the password:\n%s", where, text)
		}
	}
}
