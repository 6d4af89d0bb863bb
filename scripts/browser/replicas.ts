// Replicas of the server on the database of the demo, and a balancer in front of them.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

const kept = (name: string) => readFileSync(join(process.env.CONVO_DATA_DIR!, name), 'utf8').trim();

/** A server process. */
export class Replica {
  private constructor(
    private readonly process: ChildProcess,
    readonly port: number,
  ) {}

  /** Starts a replica on a free port. */
  static start(): Promise<Replica> {
    const child = spawn('../../bin/convo', ['serve', '--workers=false'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env, CONVO_ADDR: '127.0.0.1:0', CONVO_OPS_ADDR: '', CONVO_LOG_LEVEL: 'info', CONVO_SHUTDOWN_DELAY: '0s',
        CONVO_STORAGE: join(process.env.CONVO_DATA_DIR!, 'files'), DATABASE_URL: kept('database-url'), CONVO_SECRET_KEY: kept('secret-key'),
      },
    });
    return new Promise((resolve, reject) => {
      let said = '';
      child.stderr!.on('data', (piece) => {
        said += piece;
        const port = /"addr":"127\.0\.0\.1:(\d+)"/.exec(said)?.[1];
        if (port) resolve(new Replica(child, Number(port)));
      });
      child.on('exit', () => reject(new Error(`the replica has exited: ${said}`)));
    });
  }

  /** Ends the process by a signal, and waits for its end. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      this.process.on('exit', () => resolve());
      this.process.kill(signal);
    });
  }
}

/** Passes connections on to one replica. Those to a replica that is gone are closed. */
export class Balancer {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  /** The port of the replica that new connections reach. */
  target = 0;

  constructor() {
    this.server = createServer((client) => {
      const upstream = connect(this.target, '127.0.0.1');
      for (const [one, other] of [[client, upstream], [upstream, client]] as const) {
        this.sockets.add(one);
        one.on('error', () => undefined);
        one.on('close', () => {
          this.sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
  }

  /** Listens on a free port, and returns the origin. */
  listen(): Promise<string> {
    return new Promise((resolve) => {
      this.server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(this.server.address() as { port: number }).port}`));
    });
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}
