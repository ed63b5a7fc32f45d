import ArgumentParser
import AsyncHTTPClient
import Hummingbird

@main struct Muster: ParsableCommand { func run() throws { print("hi") } }
