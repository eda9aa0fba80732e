// Package endurance holds the tests that keep an engine at work while things go
// wrong, and compare afterwards what clients were told with what there is.
//
// # Accounting
//
// TestAccounting has eight clients create, find, list, run, write, read, extend,
// pause and delete, while a nemesis cuts their connections, kills and stops
// guests and launchers, fills the disk, and ends or kills the engine. What each
// client asked for and was told is a history, and has to keep the rules of
// check_test.go; that these can be broken is what bad_histories_test.go tests.
//
// # Soak
//
// TestSoak, TestSoakPool and TestWaves make many sessions; everything that can
// be counted is as before when they are gone. As root they run in namespaces of
// their own, where they are pid 1 and everything there is counts.
//
// # Length
//
// By default all takes half a minute. The flags of main_test.go make it longer:
//
//	go test -run TestAccounting -accounting.time=60s ./engine/endurance
//	go test -run 'TestSoak|TestWaves' -soak.n=1000 ./engine/endurance
//	go test -run TestOwnerDies -death.n=100 ./engine/endurance
//	go test -run TestAtTheTimeout -timeout.n=1000 ./engine/endurance
//
// # Faults
//
// Faults of an engine's life, and the tests that have them; those of other
// packages come with their folder.
//
//	E01 the owner is killed             TestOwnerDies engine/linuxns.TestOwnerDeath
//	E02 the owner ends otherwise        TestOwnerDies engine/linuxns.TestOwnerDeath
//	E03 the service is killed           TestAccounting; its sessions end with it
//	E05 the owner is stopped            TestOwnerStopped
//	E06 killed while creating           engine.TestKilledAnywhere engine/internal/store.TestKillAtPoints engine/linuxns.TestLauncherDeathDuringCreate
//	E07 killed while deleting           engine.TestKilledAnywhere engine/linuxns.TestBothDead
//	E08 a step of either fails          engine.TestCreateFailsAnywhere engine.TestDeleteFailsNowhere engine/linuxns.TestGroupFails
//	E09 the store's disk fails          engine.TestDiskFails engine/internal/store.TestWriteFails engine/internal/store.TestDiskFull TestAccounting
//	E10 the store's file is damaged     engine/internal/store.TestCut engine/internal/store.TestFlip engine/internal/store.TestLastWrite
//	E11 two owners of one directory     engine/internal/store.TestOneOwner engine/internal/store.TestOwner
//	E12 the directory goes away         engine/internal/store.TestFileGoesAway
//	E13 descriptors, processes, memory  TestNoDescriptors engine/linuxns.TestExplain
//	E14 kinds of control groups         engine/linuxns/internal/cgroup.TestLayouts engine/linuxns.TestDelegated engine/linuxns.TestNoUsableGroups
//	E15 a group that stays busy         engine/linuxns/internal/launcher.TestBusyGroups engine/linuxns/internal/launcher.TestBusyLimit
//	E17 many deletions of one session   engine.TestDeletes engine/internal/httpapi.TestConcurrentDeletes
//	E18 deletion of what is in use      engine.TestDeleteUnderCalls engine.TestPauseRaces TestWaves
//	E19 a command for what has ended    TestGoneIsToldAtOnce session.TestEverythingFailsWhenGone
//	E20 a command ends at its timeout   TestAtTheTimeout
//	E21 extended or over                engine.TestLeaseIsExtendedOrEnds engine.TestExtendedOrOver
//	E22 the time of day is set          no test moves it: leases know monotonic time alone, engine.TestLeaseEndsWhenIdle
//	E23 sessions one after another      TestSoak TestSoakPool
//	E24 waves with guests killed        TestWaves
//	E27 hours of it                     TestAccounting, as long as it is told to
//	E28 background holds the output     internal/guest/agent.TestBackgroundChildHoldsNobodyUp internal/guest/agent.TestLeftoversAreBounded
//	E29 the guest's program is busy     engine/linuxns.TestCopyIsSealed: it is a file in memory that nobody can write
//	E30 the owner forks meanwhile       TestForksMeanwhile engine/linuxns.TestNothingIsInherited
//	E31 the owner reaps children        TestHosts; TestSoak as pid 1
//	E32 the owner's umask, files, place TestHosts engine/linuxns.TestClosedStandardDescriptors
//	E33 the machine forbids sandboxes   engine/linuxns.TestNamespacesForbidden engine/linuxns.TestFiltered engine/linuxns.TestCoveredProc cmd/agb.TestDoctor
//	E34 shutdown with commands at work  TestShutdownAtWork
//	E35 restart with clients            TestAccounting TestShutdownAtWork
//	E36 a newer store                   engine/internal/store.TestNewer; there is no older format
//	E37 a session fills its disk        command.TestOutOfDisk: each session's places are its own
//	E38 another owner's remains         engine/linuxns/internal/cgroup.TestSweepDead engine/linuxns.TestBothDead engine/linuxns/internal/launcher.TestRangesOfTwoOwners
//	E40 containers of another runtime   not applicable: there is none
//	E41 pause fails half-way            engine.TestPauseFails engine.TestPauseRaces; there are no snapshots
//	E42 guests end at once              TestGuestEndsAtOnce engine/linuxns.TestGuestBinaryOfNoUse
//	E43 an interpreter dies             engine/internal/httpapi.TestContextsThatDie code.TestContextThatDies
//	E44 a transfer is cut               engine/internal/httpapi.TestUploadBreaksOff engine/internal/httpapi.TestDownloadBreaksOff
//	E45 the program is replaced         TestProgramReplaced
//	E46 everything is late              TestOwnerStopped TestAccounting: what is alive is told by its end, not by time
//	E47 ten thousand records            engine/internal/store.TestTenThousand
//	E48 no room for logs                not applicable: the engine writes to the Logger that it is given, and keeps no file
//	E50 system calls that are missing   engine/linuxns.TestFiltered engine/linuxns.TestNoProgramsInMemory engine/linuxns/internal/layers.TestLandlockByVersion
package endurance
