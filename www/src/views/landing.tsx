/** A page that belongs to no mesh yet: what to do, in the order of doing it. */
import { Card, Command } from './parts.tsx'

export function Landing() {
  return (
    <div class="cards">
      <div class="column wide">
        <Card title="Open a join link">
          <p>
            Whoever is in a mesh has a link that ends in <code>#join=</code> and a long text. Open
            it in this browser and this tab becomes a member: it keeps its own identity, talks to
            the others directly, and trains on rows that never leave it.
          </p>
          <p>Nobody has a link yet? Start the first node on this computer; it prints one.</p>
          <Command text="npx synaptic-mesh start" label="the start command" />
        </Card>
      </div>
      <div class="column">
        <Card title="Own a node?">
          <p>
            The dashboard of a running node opens with its token. This prints the link that carries
            it:
          </p>
          <Command text="npx synaptic-mesh status" label="the status command" />
        </Card>
      </div>
    </div>
  )
}
