#!/usr/bin/env python3
"""Play org.freedesktop.systemd1 on the system bus, as far as a check asks: states come as lines on standard input.

    DBUS_SYSTEM_BUS_ADDRESS=unix:path=... fake_systemd.py

Lines: "UNIT STATE" (told by PropertiesChanged), "quiet UNIT STATE" (not told), "mute" (answers nothing any more).
Prints "ready" when it owns the name, and "calls N" at its end. A unit that was never named does not exist.
"""
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = "org.freedesktop.systemd1"
UNIT = NAME + ".Unit"
PROPERTIES = "org.freedesktop.DBus.Properties"


def path_of(unit):
    return "/org/freedesktop/systemd1/unit/" + "".join(c if c.isalnum() else f"_{ord(c):02x}" for c in unit)


class Unit(dbus.service.Object):
    def __init__(self, manager, unit):
        super().__init__(manager.bus, path_of(unit))
        self.manager = manager
        self.state = None

    @dbus.service.method(PROPERTIES, in_signature="ss", out_signature="v", async_callbacks=("done", "failed"))
    def Get(self, interface, name, done, failed):  # pylint: disable=invalid-name
        del interface, failed
        self.manager.calls += 1
        if self.manager.mute:
            return
        if name == "ActiveState":
            done(self.state or "inactive")
        else:
            done("loaded" if self.state else "not-found")

    @dbus.service.signal(PROPERTIES, signature="sa{sv}as")
    def PropertiesChanged(self, interface, changed, invalidated):  # pylint: disable=invalid-name
        pass


class Manager(dbus.service.Object):
    def __init__(self, bus):
        super().__init__(bus, "/org/freedesktop/systemd1")
        self.bus = bus
        self.units = {}
        self.mute = False
        self.subscribed = False
        self.calls = 0

    def unit(self, name):
        if name not in self.units:
            self.units[name] = Unit(self, name)
        return self.units[name]

    @dbus.service.method(NAME + ".Manager", in_signature="s", out_signature="o")
    def LoadUnit(self, name):  # pylint: disable=invalid-name
        self.calls += 1
        self.unit(str(name))
        return dbus.ObjectPath(path_of(name))

    @dbus.service.method(NAME + ".Manager")
    def Subscribe(self):  # pylint: disable=invalid-name
        self.subscribed = True

    def command(self, line):
        words = line.split()
        if words == ["mute"]:
            self.mute = True
            return
        quiet = words[0] == "quiet"
        unit = self.unit(words[-2])
        unit.state = words[-1]
        if self.subscribed and not quiet:
            unit.PropertiesChanged(UNIT, {"ActiveState": words[-1]}, [])


def main():
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SystemBus()
    name = dbus.service.BusName(NAME, bus)
    manager = Manager(bus)
    loop = GLib.MainLoop()

    def readable(*_):
        line = sys.stdin.readline()
        if not line:
            loop.quit()
            return False
        manager.command(line)
        return True

    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_IN | GLib.IO_HUP, readable)
    print("ready", flush=True)
    loop.run()
    print(f"calls {manager.calls}", flush=True)
    del name


if __name__ == "__main__":
    main()
