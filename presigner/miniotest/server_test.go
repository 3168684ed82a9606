package miniotest_test

import (
	"net/http"
	"testing"

	"jobgate/presigner/miniotest"
)

func TestServerKeepsVersions(t *testing.T) {
	s := miniotest.Start(t)
	s.CreateBucket(t, "versions")
	s.CreateBucket(t, "versions") // creating it again is no error
	s.EnableVersioning(t, "versions")
	const key = "a b/c+d%☃.bin"
	v1 := s.PutObject(t, "versions", key, []byte("one"))
	v2 := s.PutObject(t, "versions", key, []byte("two"))
	if v1 == "" || v2 == "" || v1 == v2 {
		t.Fatalf("version ids %q and %q: want two different ones", v1, v2)
	}
	if got := string(s.GetObject(t, "versions", key)); got != "two" {
		t.Fatalf("GetObject = %q, want %q", got, "two")
	}
}

func TestServerRefusesUnsigned(t *testing.T) {
	s := miniotest.Start(t)
	s.CreateBucket(t, "closed")
	s.PutObject(t, "closed", "k", []byte("x"))
	status, _ := s.Fetch(t, http.MethodGet, s.URL+"/closed/k", nil)
	if status != http.StatusForbidden {
		t.Fatalf("status of an unsigned GET = %d, want 403", status)
	}
}

func TestStartShares(t *testing.T) {
	if a, b := miniotest.Start(t), miniotest.Start(t); a != b {
		t.Fatal("Start gave two servers in one process")
	}
}
