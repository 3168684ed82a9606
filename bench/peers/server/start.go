package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"jobgate/bench/peers/account"
	"jobgate/bench/peers/bare"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/setup"
)

// BareAnswer writes jobgate's answer to the file that nginx and the bare servers send.
func BareAnswer(ctx context.Context, o *setup.Options) error {
	p, port, err := StartJobgate(o, o.ServerCore, Settings{})
	if err != nil {
		return err
	}
	defer p.Stop()
	hot, err := p.Answer(ctx, process.URL(port, "/hot"))
	if err != nil {
		return err
	}
	return os.WriteFile(o.Static(bare.File), hot, 0o644) // readable by nginx's worker
}

// StartJobgate starts jobgate serve on a free port.
func StartJobgate(o *setup.Options, core int, s Settings) (*process.Process, int, error) {
	var err error
	if s.Port, err = process.FreePort(); err != nil {
		return nil, 0, err
	}
	if s.Admin == 0 {
		if s.Admin, err = process.FreePort(); err != nil {
			return nil, 0, err
		}
	}
	if s.Memory == "" {
		s.Memory = "normal"
	}
	s.Folder = o.Folder
	path, err := Write(o.Folder, "jobgate.yaml", fmt.Sprintf("jobgate-%d.yaml", s.Port), s)
	if err != nil {
		return nil, 0, err
	}
	p, err := process.Start("jobgate", core, account.Environment(), o.Jobgate, "serve", "--config", path)
	return p, s.Port, err
}

// StartNginx starts nginx with one of the configurations on a free port.
func StartNginx(o *setup.Options, core int, configuration string, s Settings) (*process.Process, int, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program = "/usr/sbin/nginx"; exec.Command(program, "-v").Run() != nil {
			return nil, 0, errors.New("nginx is not installed (Debian package nginx-light)")
		}
	}
	if s.Port, err = process.FreePort(); err != nil {
		return nil, 0, err
	}
	s.Folder = o.Folder
	if s.Connections == 0 {
		s.Connections = 20000
	}
	path, err := Write(o.Folder, configuration, fmt.Sprintf("nginx-%d.conf", s.Port), s)
	if err != nil {
		return nil, 0, err
	}
	p, err := process.Start("nginx", core, os.Environ(), program, "-e", "stderr", "-c", path)
	return p, s.Port, err
}

// StartMosquitto starts Debian's broker on a free port.
func StartMosquitto(ctx context.Context, o *setup.Options, s Settings) (*process.Process, int, error) {
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto"
		if _, err := os.Stat(program); err != nil {
			return nil, 0, errors.New("mosquitto is not installed (Debian package mosquitto)")
		}
	}
	if s.Port, err = process.FreePort(); err != nil {
		return nil, 0, err
	}
	s.Folder = o.Folder
	path, err := Write(o.Folder, "mosquitto.conf", fmt.Sprintf("mosquitto-%d.conf", s.Port), s)
	if err != nil {
		return nil, 0, err
	}
	p, err := process.Start("mosquitto", o.ServerCore, os.Environ(), program, "-c", path)
	if err != nil {
		return nil, 0, err
	}
	if err := process.Listens(ctx, s.Port); err != nil {
		p.Stop()
		return nil, 0, fmt.Errorf("mosquitto does not listen: %w", err)
	}
	return p, s.Port, nil
}

// StartBare starts one of this program's own servers on a free port.
func StartBare(o *setup.Options, core int, name string) (*process.Process, int, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, 0, err
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, 0, err
	}
	args := []string{bare.Word, name, fmt.Sprintf("127.0.0.1:%d", port), o.Folder}
	p, err := process.Start(name, core, os.Environ(), self, args...)
	return p, port, err
}
