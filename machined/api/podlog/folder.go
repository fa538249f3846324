// Package podlog reads the logs of containers where the kubelet keeps them: /var/log/pods/NAMESPACE_POD_UID/CONTAINER/N.log,
// N counting the container's restarts.
package podlog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Folder is the kubelet's folder of logs.
type Folder string

// Default is where it is.
const Default Folder = "/var/log/pods"

// ErrNotFound is that there is no such pod or container on this machine, or that it has no such log.
var ErrNotFound = errors.New("not on this machine")

// name of a namespace, a pod or a container (RFC 1123). It has no underscore and is no path.
var name = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)

// Container is a container's name.
type Container struct{ Namespace, Pod, Name string }

// ParseContainer reads NAMESPACE/POD/CONTAINER, or NAMESPACE/POD for a pod with one container.
func ParseContainer(s string) (Container, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 {
		return Container{}, fmt.Errorf("container is %q; it is NAMESPACE/POD/CONTAINER, or NAMESPACE/POD for a pod with one container", s)
	}
	for _, p := range parts {
		if !name.MatchString(p) {
			return Container{}, fmt.Errorf("container is %q, in which %q is no name of Kubernetes", s, p)
		}
	}
	parts = append(parts, "")
	return Container{parts[0], parts[1], parts[2]}, nil
}

// find returns the folder of the container's logs, inside root. Of pods of the same name the newest counts.
func (c Container) find(root *os.Root) (dir string, err error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return "", err
	}
	prefix := c.Namespace + "_" + c.Pod + "_"
	var newest fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if strings.HasPrefix(e.Name(), prefix) && err == nil && (newest == nil || info.ModTime().After(newest.ModTime())) {
			newest = info
		}
	}
	if newest == nil {
		return "", fmt.Errorf("pod %s/%s: %w", c.Namespace, c.Pod, ErrNotFound)
	}
	containers, err := fs.ReadDir(root.FS(), newest.Name())
	if err != nil {
		return "", err
	}
	var names []string
	for _, e := range containers {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	switch {
	case c.Name == "" && len(names) == 1:
		return newest.Name() + "/" + names[0], nil
	case c.Name == "":
		return "", fmt.Errorf("pod %s/%s has the containers %s; name one: %s/%s/CONTAINER", c.Namespace, c.Pod, strings.Join(names, ", "), c.Namespace, c.Pod)
	case !slices.Contains(names, c.Name):
		return "", fmt.Errorf("container %s of pod %s/%s, which has %s: %w", c.Name, c.Namespace, c.Pod, strings.Join(names, ", "), ErrNotFound)
	}
	return newest.Name() + "/" + c.Name, nil
}

// instances are the numbers of a container's logs, in order. What has been rotated away has more in its name.
func instances(root *os.Root, dir string) ([]int, error) {
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return nil, err
	}
	var list []int
	for _, e := range entries {
		base, log := strings.CutSuffix(e.Name(), ".log")
		n, err := strconv.ParseUint(base, 10, 31)
		if log && err == nil && e.Type().IsRegular() {
			list = append(list, int(n))
		}
	}
	slices.SortFunc(list, cmp.Compare[int])
	return list, nil
}
