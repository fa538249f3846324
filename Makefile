# Coracle: `make help` lists what there is. Everything that is built lands in _out.

ARCH       ?= amd64
OUT        ?= _out
MEMORY     ?= 2048
CPUS       ?= 2
FIRMWARE   ?= uefi
DISK       ?= 8G

# The Go settings of every program in the image (arch/golang.go has them for the imager). Tests and tools use the
# same ones, so that Kubernetes is compiled once.
GO_TAGS    := osusergo,netgo,no_btrfs,no_devmapper,no_zfs,no_aufs,providerless
export CGO_ENABLED := 0
export GOFLAGS     := -buildvcs=false -trimpath -gcflags=all=-dwarf=false -tags=$(GO_TAGS)
# For ARCH, where Make calls the compiler and not the imager.
GO_TARGET  := GOOS=linux $(if $(filter armhf,$(ARCH)),GOARCH=arm GOARM=7,GOARCH=$(ARCH))

# Compiles the protobuf definitions. Its plugins are of the versions in go.mod.
BUF        := v1.75.0

# What is built: the plain image of ARCH, or its flavour for machines that that is not for (ARCH=arm64 FLAVOUR=rpi5).
FLAVOUR    ?=
DEFINITION := images/$(ARCH)$(if $(FLAVOUR),-$(FLAVOUR)).yml
IMAGE      := $(OUT)/coracle-$(if $(FLAVOUR),$(FLAVOUR)-)$(ARCH).img
IMAGER     := go run ./tools/imager
VM         := go run ./tools/vm
BENCH      := go run ./tools/bench

# A release trusts and is signed by keys of its own; what is built otherwise, by the development key of this clone.
BUILD_FLAGS := $(if $(VERSION),--version $(VERSION)) $(if $(RELEASE),--release) $(if $(SIGNING_KEY),--key $(SIGNING_KEY))

.DEFAULT_GOAL := help

##@ Use

.PHONY: run
run: image ## Build the image, boot it in QEMU until its node is Ready, stay until Ctrl-C (ARCH=arm64, armhf; DETACH=1: return when Ready; ARCH=arm64 BOARD=raspi3b: on a Pi)
	$(VM) run --arch $(ARCH) $(if $(BOARD),--board $(BOARD),--image $(IMAGE)) --dir $(OUT)/run --memory $(MEMORY) --cpus $(CPUS) --firmware $(FIRMWARE) --disk-size $(DISK) $(if $(DETACH),--detach)

.PHONY: stop
stop: ## End the machine that `make run DETACH=1` left running
	$(VM) stop --dir $(OUT)/run

.PHONY: image
image: host ## Build the disk image, its .zst, SBOM and licences into _out (ARCH=arm64 FLAVOUR=rpi5: for the Raspberry Pi 5)
	$(IMAGER) build $(DEFINITION) --out $(OUT) $(BUILD_FLAGS)

.PHONY: slot
slot: host ## Build the upgrade artifact _out/coracle-VERSION-ARCH.slot (VERSION=1.2.3; RELEASE=1 SIGNING_KEY=FILE for others to trust)
	$(IMAGER) slot $(DEFINITION) --out $(OUT) $(BUILD_FLAGS)

.PHONY: ctl
ctl: ## Build coraclectl for Linux, macOS and Windows, amd64 and arm64, into _out/ctl
	@for target in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do \
	  os=$${target%/*}; arch=$${target#*/}; ext=; [ $$os != windows ] || ext=.exe; echo "$(OUT)/ctl/coraclectl-$$os-$$arch$$ext"; \
	  GOOS=$$os GOARCH=$$arch go build -ldflags "-s -w -X github.com/coracle-os/coracle/tools/coraclectl/command.Version=$(or $(VERSION),dev)" \
	    -o $(OUT)/ctl/coraclectl-$$os-$$arch$$ext ./tools/coraclectl || exit 1; \
	done

##@ Test

# What boot tests take besides the image: those for ARM, and to upgrade to, the image as it is, of a later version.
ARM        := arm64 armhf
.PHONY: test-artifacts
test-artifacts: image
	for arch in $(ARM); do $(MAKE) image ARCH=$$arch || exit 1; done
	$(IMAGER) slot images/$(ARCH).yml --out $(OUT) --version 0.2.0

# To upgrade to, besides: one whose programs fail when they are told to, and one more.
.PHONY: test-trial-artifacts
test-trial-artifacts: image
	for program in init machined kube; do $(GO_TARGET) go build -ldflags '-s -w' -o $(OUT)/test/$(ARCH)/faulty/usr/bin/$$program ./tools/vm/boottest/faulty || exit 1; done
	$(IMAGER) slot images/$(ARCH).yml --out $(OUT) --version 0.2.0
	$(IMAGER) slot images/$(ARCH).yml --out $(OUT) --version 0.2.1 --overlay $(OUT)/test/$(ARCH)/faulty
	$(IMAGER) slot images/$(ARCH).yml --out $(OUT) --version 0.3.0

# The images and the artifacts of the tests that take the light image.
.PHONY: test-light
test-light: host
	$(IMAGER) build tools/vm/boottest/light/$(ARCH).yml --out $(OUT)/light --cache $(OUT)/cache
	for version in 0.2.0 0.3.0; do $(IMAGER) slot tools/vm/boottest/light/$(ARCH).yml --out $(OUT)/light --cache $(OUT)/cache --version $$version || exit 1; done
	$(IMAGER) build tools/vm/boottest/light/$(ARCH).yml --out $(OUT)/light/embedded --cache $(OUT)/cache --overlay tools/vm/boottest/light/embedded

.PHONY: test
test: test-artifacts ## Unit tests, then boot tests on the real image
	go test -vet=off $$(go list ./... | grep -v /boottest)
	CORACLE_REQUIRE_IMAGE=1 go test -vet=off -count=1 -timeout 80m -v ./tools/vm/boottest

.PHONY: test-all
test-all: test-artifacts test-trial-artifacts test-light ## Everything: unit tests, all boot tests, reproducibility
	$(MAKE) image ARCH=arm64 FLAVOUR=rpi5
	go test -vet=off $$(go list ./... | grep -v /boottest)
	CORACLE_REQUIRE_IMAGE=1 CORACLE_TEST_ALL=1 go test -vet=off -count=1 -timeout 8h -v ./tools/vm/boottest
	for arch in $(ARM); do $(MAKE) test-arch ARCH=$$arch || exit 1; done
	$(MAKE) repro

# The boot tests that depend on boot loader, firmware and processor.
ARCH_TESTS := Server|SmallMachine|FlippedBit|NoConfig|BadConfig|SmallDisk|ClockAt1970|DamagedData|Upgrade|Rollback|BothSlots|BootPartition|Delta|SafeMode|Devices|PulledStick|RaspberryPi

.PHONY: test-arch
test-arch: test-trial-artifacts ## Boot tests of start, accidents and upgrades on another architecture (ARCH=arm64)
	CORACLE_TEST_ARCH=$(ARCH) CORACLE_REQUIRE_IMAGE=1 CORACLE_TEST_ALL=1 go test -vet=off -count=1 -timeout 4h -v -run '^Test($(ARCH_TESTS))$$' ./tools/vm/boottest

.PHONY: repro
repro: host ## Build image and artifact twice and compare every output byte by byte
	$(IMAGER) repro $(DEFINITION) --out $(OUT)

.PHONY: fuzz
fuzz: ## Run each fuzz test for FUZZTIME (default 20s)
	@for p in $$(grep -rl --include='*_test.go' '^func Fuzz' init machined kube images arch tools | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -h -o '^func Fuzz[A-Za-z0-9_]*' ./$$p/*_test.go | sed 's/^func //'); do \
	    echo "== $$p $$f"; go test -vet=off -run '^$$' -fuzz "^$$f$$" -fuzztime $(or $(FUZZTIME),20s) ./$$p || exit 1; \
	  done; \
	done

# The programs of ours in the image, whose modules have to be for 32-bit ARM too.
PROGRAMS   := ./init/stage2 ./machined ./kube

.PHONY: lint
lint: ## gofmt, go vet; for 32-bit ARM that of what does not take Kubernetes with it, and the alignment of 64-bit atomics in all that is linked
	@files=$$(git ls-files '*.go' | xargs gofmt -l); [ -z "$$files" ] || { echo "not gofmt-clean:"; echo "$$files"; exit 1; }
	go vet ./...
	GOARCH=arm GOARM=7 go vet ./init/... ./machined/... ./images/slot/... ./images/bootfiles/...
	go build -o $(OUT)/alignment ./tools/alignment
	export GOARCH=arm GOARM=7; $(OUT)/alignment -test=false $$(go list -deps $(PROGRAMS) | grep '\.')

##@ Measure

# The baseline is for amd64 only; of other architectures only Coracle is measured. QEMU emulates two processors of 32-bit ARM slower than one.
BENCH_RUN  := $(BENCH) --arch $(ARCH) --image $(IMAGE) --baseline-image $(OUT)/baseline/coracle-$(ARCH).img --busybox $(OUT)/test/$(ARCH)/busybox.tar \
	--out $(OUT)/bench$(if $(filter-out amd64,$(ARCH)),-$(ARCH)).json $(if $(filter armhf,$(ARCH)),--cpus 1)
BASELINE   := $(wildcard tools/bench/baseline/$(ARCH).yml)

.PHONY: bench
bench: image $(if $(BASELINE),bench-baseline) ## Measure the baseline, and Coracle with 2 GiB and 512 MiB; write _out/bench.json, or bench-ARCH.json (about 50 minutes)
	$(BENCH_RUN)
	$(if $(BASELINE),$(BENCH_RUN) --times 3)

.PHONY: soak
soak: image ## See whether a machine stays up: `make soak MEMORY=512 SOAK=30m`
	$(BENCH_RUN) --soak $(or $(SOAK),30m) --memory $(MEMORY)

.PHONY: bench-baseline
bench-baseline: image ## Measure only the baseline: upstream's components as separate processes on the same kernel
	$(IMAGER) build $(BASELINE) --out $(OUT)/baseline --cache $(OUT)/cache
	$(BENCH_RUN) --baseline

##@ House

.PHONY: generate
generate: ## Generate what is checked in: the API's Go code from its protobuf definition, schema and reference from the config's Go types
	cd machined/api/proto && GOFLAGS= go run github.com/bufbuild/buf/cmd/buf@$(BUF) lint
	cd machined/api/proto && GOFLAGS= go run github.com/bufbuild/buf/cmd/buf@$(BUF) generate
	go run ./machined/config/generate

# What is built for. `make test` builds for ARM too, and asks for all that it needs before the long compile.
HOST_ARCHES ?= $(ARCH)
test test-artifacts test-all: HOST_ARCHES := $(sort $(ARCH) $(ARM))

.PHONY: host
host: ## Install from apt what the build and the tests need, if it is missing
	@tools/host-packages.sh $(HOST_ARCHES)

.PHONY: clean
clean: ## Remove what was built; downloaded packages stay in _out/cache
	@[ ! -e $(OUT)/run/qemu.pid ] || $(VM) stop --dir $(OUT)/run
	@[ ! -d $(OUT) ] || find $(OUT) -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +

.PHONY: help
help: ## This help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nSettings: ARCH=%s MEMORY=%s CPUS=%s FIRMWARE=%s DISK=%s\n' $(ARCH) $(MEMORY) $(CPUS) $(FIRMWARE) $(DISK)
