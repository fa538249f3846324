// Package english has kubectl speak English. Its commands translate their help while they initialize themselves, also in a
// process that is a server: packing, unpacking and parsing the translations is a fifth of all that kube's packages do then, and
// 4 MB.
//
// It is imported for its effect. Go initializes packages in the order of their import paths as soon as all that they import is, so
// that this one is before k8s.io/kubectl/pkg/cmd.
package english

import "k8s.io/kubectl/pkg/util/i18n"

func init() {
	if err := i18n.SetLoadTranslationsFunc(func() error { return nil }); err != nil {
		panic(err) // another package came before this one, and was translated
	}
}
