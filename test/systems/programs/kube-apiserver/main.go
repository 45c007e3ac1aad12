// The real Kubernetes API server as one program: k8s.io/kubernetes cannot be installed by its name, because of its replace lines.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
