#!/usr/bin/python3
"""Stands in for systemd-logind on the node's system bus, as far as the kubelet speaks to it before a shutdown.

SIGUSR1 announces a shutdown, SIGUSR2 calls it off. Prints who holds it up, and when it no longer does.
"""
import os
import signal

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

MANAGER = "org.freedesktop.login1.Manager"
DELAY_USEC = 60_000_000


class Manager(dbus.service.Object):
    @dbus.service.method(MANAGER, in_signature="ssss", out_signature="h")
    def Inhibit(self, what, who, why, mode):
        ours, theirs = os.pipe()
        os.set_blocking(ours, False)
        GLib.io_add_watch(ours, GLib.IO_HUP, self.released, who)
        print(f"held up by {who}: {what}, {mode}: {why}", flush=True)
        lock = dbus.types.UnixFd(theirs)
        os.close(theirs)
        return lock

    def released(self, ours, _condition, who):
        os.close(ours)
        print(f"let go by {who}", flush=True)
        return False

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="ss", out_signature="v")
    def Get(self, _interface, _name):
        return dbus.UInt64(DELAY_USEC, variant_level=1)

    @dbus.service.signal(MANAGER, signature="b")
    def PrepareForShutdown(self, start):
        print(f"shutdown: {bool(start)}", flush=True)


def announce(start):
    manager.PrepareForShutdown(start)
    return True


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SystemBus()
name = dbus.service.BusName("org.freedesktop.login1", bus)
manager = Manager(bus, "/org/freedesktop/login1")
GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGUSR1, announce, True)
GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGUSR2, announce, False)
GLib.MainLoop().run()
