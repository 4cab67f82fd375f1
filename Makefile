# The only makefile that runs. Each folder lists its files in a module.mk; everything built goes into build/.
#
#   make            the four programs            make test     install what tests need, build, run everything
#   make demo       see it work                  make bench    measure beside keepalived
#   make sim        hosts in virtual time        make worlds   every order of events of small ones
#   make fuzz       octets at random             make mutate   wrong versions of the core must be noticed
#   make coverage   of the core                  make install  PREFIX, DESTDIR as usual
#   make SAN=address,undefined BUILD=build/san   a build with sanitizers

BUILD ?= build
PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
BINDIR ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/vrrpd
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system
DATADIR ?= $(PREFIX)/share
VERSION := 0.1.0

CC ?= cc
PKG_CONFIG ?= pkg-config
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
	-Wwrite-strings -Wformat=2 -Wundef -Wvla -Wimplicit-fallthrough
STRICT := -Wconversion -Wsign-conversion
HARDEN := -fstack-protector-strong -fPIE
LDHARDEN := -pie -Wl,-z,relro,-z,now
ifeq ($(SAN),)
HARDEN += -D_FORTIFY_SOURCE=2
else
SANFLAGS := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifneq ($(findstring clang,$(CC)),)
WARN += -Wno-missing-field-initializers # of libseccomp's macros
endif
ifneq ($(WERROR),)
WARN += -Werror
endif

# Library headers come in as system headers: their macros are not ours to warn about.
pkg_cflags = $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(1) 2>/dev/null))
pkg_libs = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null)

ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DVRRPD_VERSION='"$(VERSION)"' -DVRRPD_LIBEXECDIR='"$(LIBEXECDIR)"' \
	-Ivrrpd -I. -pthread $(WARN) $(HARDEN) $(SANFLAGS) -fno-common -MMD -MP $(CFLAGS)

MODULES := vrrpd/base vrrpd/proto vrrpd/elect vrrpd/config vrrpd/ipc vrrpd/sys vrrpd/engine vrrpd/agent \
	vrrpd/parent vrrpd/ctl netlink
PROGRAMS := vrrpd vrrpd-engine vrrpd-agent vrrpctl

COMPLETIONS := $(addprefix $(BUILD)/completions/vrrpctl.,bash zsh fish)

.PHONY: all
all: $(addprefix $(BUILD)/,$(PROGRAMS)) $(COMPLETIONS)

# Per module: NAME_SRCS (the archive), NAME_MAIN (a program's main file), NAME_PKGS (libraries), NAME_CFLAGS.
define module
include $(1)/module.mk
$(notdir $(1))_DIR := $(1)
endef
$(foreach m,$(MODULES),$(eval $(call module,$(m))))

define rules
$(1)_OBJS := $$(patsubst %.c,$(BUILD)/obj/$$($(1)_DIR)/%.o,$$($(1)_SRCS))
$(BUILD)/lib$(1).a: $$($(1)_OBJS)
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
$(BUILD)/obj/$$($(1)_DIR)/%.o: $$($(1)_DIR)/%.c
	@mkdir -p $$(@D)
	@echo "  CC $$<"
	@$$(CC) $$(ALL_CFLAGS) $$($(1)_CFLAGS) $$(call pkg_cflags,$$($(1)_PKGS)) -c -o $$@ $$<
endef
$(foreach m,$(notdir $(MODULES)),$(eval $(call rules,$(m))))

# The parent knows where the other programs are installed: another place means compiling it anew.
$(BUILD)/libexecdir: FORCE
	@mkdir -p $(@D)
	@[ "$$(cat $@ 2>/dev/null)" = "$(LIBEXECDIR)" ] || echo "$(LIBEXECDIR)" >$@
.PHONY: FORCE
FORCE:
$(parent_OBJS): $(BUILD)/libexecdir

# Which archives a program may link is its list of rights (vrrpd/README.md); what is missing here cannot be called.
define program
$(BUILD)/$(1): $(BUILD)/obj/$$($(2)_DIR)/$$($(2)_MAIN:.c=.o) $(foreach l,$(3),$(BUILD)/lib$(l).a)
	@echo "  LD $$@"
	@$$(CC) $$(SANFLAGS) $$(LDHARDEN) $$(LDFLAGS) -pthread -o $$@ $$< -Wl,--start-group \
		$$(filter %.a,$$^) -Wl,--end-group -Wl,--as-needed $$(call pkg_libs,$(4)) -lm
endef
$(eval $(call program,vrrpd,parent,parent config ipc sys elect proto netlink base,libevent libconfig libmnl libcap-ng $(SECCOMP) $(SYSTEMD)))
$(eval $(call program,vrrpd-engine,engine,engine ipc sys elect proto netlink base,libevent libmnl libnl-3.0 libnl-route-3.0 libcap-ng $(SECCOMP)))
$(eval $(call program,vrrpd-agent,agent,agent ipc sys elect proto base,libevent hiredis jansson libcurl libpq libcap-ng $(SECCOMP) $(SYSTEMD)))
$(eval $(call program,vrrpctl,ctl,ctl sys base,jansson))

# What the shells complete, from vrrpctl's own table.
$(BUILD)/completions/vrrpctl.%: $(BUILD)/vrrpctl
	@mkdir -p $(@D)
	@$< completion $* >$@.new
	@mv $@.new $@

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

include tests/module.mk

UNIT_EDITS = -e 's|@SBINDIR@|$(SBINDIR)|' -e 's|@BINDIR@|$(BINDIR)|'
ifeq ($(SYSTEMD),)
# Nobody would tell systemd that vrrpd is ready.
UNIT_EDITS += -e 's/^Type=notify$$/Type=exec/' -e '/^NotifyAccess=/d' -e '/^WatchdogSec=/d' \
	-e '/^\# Keeps the memory/d' -e '/^FileDescriptorStoreMax=/d'
endif

.PHONY: install
install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(SYSCONFDIR)/vrrpd
	install -m 755 $(BUILD)/vrrpd $(DESTDIR)$(SBINDIR)/vrrpd
	install -m 755 $(BUILD)/vrrpctl $(DESTDIR)$(BINDIR)/vrrpctl
	install -m 755 $(BUILD)/vrrpd-engine $(BUILD)/vrrpd-agent scripts/check_* scripts/notify_* \
		$(DESTDIR)$(LIBEXECDIR)
	install -m 644 scripts/common.sh $(DESTDIR)$(LIBEXECDIR)
	test -e $(DESTDIR)$(SYSCONFDIR)/vrrpd/vrrpd.conf || \
		install -m 644 conf/vrrpd.conf $(DESTDIR)$(SYSCONFDIR)/vrrpd/vrrpd.conf
	install -d $(DESTDIR)$(DATADIR)/bash-completion/completions $(DESTDIR)$(DATADIR)/zsh/site-functions \
		$(DESTDIR)$(DATADIR)/fish/vendor_completions.d
	install -m 644 $(BUILD)/completions/vrrpctl.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/vrrpctl
	ln -sf vrrpctl $(DESTDIR)$(DATADIR)/bash-completion/completions/vrrpd
	install -m 644 $(BUILD)/completions/vrrpctl.zsh $(DESTDIR)$(DATADIR)/zsh/site-functions/_vrrpctl
	install -m 644 $(BUILD)/completions/vrrpctl.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/vrrpctl.fish
	ln -sf vrrpctl.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/vrrpd.fish
	install -d $(DESTDIR)$(PREFIX)/share/vrrpd/prometheus $(DESTDIR)$(PREFIX)/share/vrrpd/grafana
	install -m 644 packaging/prometheus/vrrpd.rules.yml packaging/prometheus/scrape.yml \
		$(DESTDIR)$(PREFIX)/share/vrrpd/prometheus
	install -m 644 packaging/grafana/vrrpd.json $(DESTDIR)$(PREFIX)/share/vrrpd/grafana
	install -d $(DESTDIR)$(UNITDIR)
	sed $(UNIT_EDITS) packaging/systemd/vrrpd.service \
		>$(DESTDIR)$(UNITDIR)/vrrpd.service
	chmod 644 $(DESTDIR)$(UNITDIR)/vrrpd.service

.PHONY: clean
clean:
	rm -rf $(BUILD)
